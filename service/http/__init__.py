"""What every HTTP request passes: id, log line, errors, body. Plain ASGI, nothing about programs."""
