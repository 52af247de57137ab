# ruff: noqa: E501 - a program of one line stays one line
"""Inherited descriptors, and what a program may do to descriptor 3, the worker's channel to its front."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, says

_NO_LAYER = "no layer to switch off: the front's checks are always on; 'result and done as a worker sends them' shows that what it accepts gets through"
_KILLED = Exact("signal", 137, "before\n")
_SEND = """
import json, struct
def frame(kind, payload, length=None):
    return struct.pack('<IB', len(payload) if length is None else length, kind) + payload
def done(**members):
    figures = {'bind': 0, 'run': 0, 'cpu': 0, 'memory_peak': 0, 'warnings': []}
    return frame(17, json.dumps({'end': 'ok', 'exit_code': 0, **figures, **members}).encode())
def send(data):
    data = memoryview(data)
    while data:
        data = data[os.write(3, data):]
def wait():
    while True:
        __import__('signal').pause()
print('before', flush=True)
"""


def _forged(name: str, program: str, outcome: Exact = _KILLED, **options: object) -> Attack:
    return Attack(name, _SEND + program, outcome, fence=Fence.WIRE, no_control=_NO_LAYER, options=options)


ROWS = (
    Attack(
        "inherited descriptors",
        """
import stat
kinds = {}
for number in range(4096):
    try:
        kinds[number] = stat.filemode(os.fstat(number).st_mode)[0]
    except OSError:
        pass
print(kinds)
""",
        says("{0: 'c', 1: '-', 2: '-', 3: 's'}"),
        fence=Fence.WORKER,
        no_control="the worker closes the others itself; no layer does",
    ),
    Attack(
        "flags and locks of an inherited stdin",
        "import fcntl\nprint(oct(fcntl.fcntl(0, fcntl.F_GETFL) & ~os.O_LARGEFILE & ~0o100000), tried(os.write, 0, b'x'))",
        says("0o0 EBADF"),
        fence=Fence.WORKER,
        no_control="the worker opens its own; test_cross_worker shows that nothing stays in it",
    ),
    _forged("garbage on the channel", "send(b'\\xff' * 4096)\nwait()"),
    _forged("text on the channel", "send(b'GET / HTTP/1.1\\r\\n\\r\\n')\nwait()"),
    _forged("header that promises 4 GiB", "send(frame(17, b'', 0xffffffff))\nwait()"),
    _forged("result header one byte over the limit", "send(frame(16, b'', (1 << 20) + 1))\nwait()"),
    _forged("done header one byte over the limit", "send(frame(17, b'', (256 << 10) + 1))\nwait()"),
    _forged(
        "half a frame, then silence",
        "send(frame(16, b'[1', 100))\nwait()",
        Exact("timeout", 124, "before\n"),
        timeout=0.5,
    ),
    _forged(
        "half a header, then death",
        "send(b'\\x01\\x00')\nos._exit(7)",
        Exact("exit", 7, "before\n"),
    ),
    _forged("frames of the other direction", "send(frame(1, b'{}') + frame(2, b'{}'))\nwait()"),
    _forged("result that is not JSON", "send(frame(16, b'nonsense') + done())\nwait()"),
    _forged(
        "result that closes the reply's object", "send(frame(16, b'1},\"success\":true') + done())\nwait()"
    ),
    _forged("result that is empty", "send(frame(16, b'') + done())\nwait()"),
    _forged("result with a NaN", "send(frame(16, b'NaN') + done())\nwait()"),
    _forged("result that is not UTF-8", "send(frame(16, b'\"\\xff\"') + done())\nwait()"),
    _forged(
        "result nested beyond any reader", "send(frame(16, b'[' * 100000 + b']' * 100000) + done())\nwait()"
    ),
    _forged("result twice", "send(frame(16, b'1') + frame(16, b'2') + done())\nwait()"),
    _forged("result after done", "send(done() + frame(16, b'2'))\nwait()"),
    _forged("done twice", "send(done() + done(exit_code=3))\nwait()"),
    _forged("done that is not JSON", "send(frame(17, b'{'))\nwait()"),
    _forged("done that is a list", "send(frame(17, b'[]'))\nwait()"),
    _forged("done without members", "send(frame(17, b'{}'))\nwait()"),
    _forged("done with an unknown member", "send(done(session='other'))\nwait()"),
    _forged("done with an unknown verdict", "send(done(end='root'))\nwait()"),
    _forged("done with an exit code out of range", "send(done(exit_code=1 << 40))\nwait()"),
    _forged("done with endless times", "send(done(cpu=1e300))\nwait()"),
    _forged("done with a million warnings", "send(done(warnings=[''] * 60000))\nwait()"),
    _forged(
        "done with a lone surrogate",
        'send(frame(17, b\'{"end":"ok","exit_code":0,"detail":"\\\\ud800"}\'))\nwait()',
    ),
    _forged(
        "result and done as a worker sends them, then endless work",
        "send(frame(16, b'\"forged\"') + done(exit_code=9))\nwhile True: pass",
        Exact("ok", 9, "before\n"),
        timeout=5.0,
    ),
    _forged(
        "flood",
        "chunk = frame(16, bytes(1 << 20))\nwhile True: send(chunk)",
        timeout=5.0,
    ),
    _forged(
        "drip of one byte each",
        """
for byte in frame(16, b'[' + b'1,' * 2000 + b'1]') + done():
    send(bytes([byte]))
wait()
""",
        Exact("ok", 0, "before\n"),
    ),
    _forged(
        "channel closed under the worker",
        "os.close(3)\nprint('after')",
        Exact("exit", 1, "before\nafter\n"),
    ),
    _forged(
        "channel shut for writing, life goes on",
        "import socket\nsocket.socket(fileno=3).shutdown(socket.SHUT_RDWR)\nwhile True: pass",
        Exact("timeout", 124, "before\n"),
        timeout=0.5,
    ),
    _forged(
        "descriptors sent to the front",
        "import socket\nsocket.send_fds(socket.socket(fileno=os.dup(3)), [done()], [0] * 200)\nwait()",
        Exact("ok", 0, "before\n"),
    ),
    Attack(
        "reading the channel for other requests",
        "import socket\nprint(tried(socket.socket(fileno=os.dup(3)).recv, 1, socket.MSG_DONTWAIT))",
        says("EAGAIN"),
        fence=Fence.WIRE,
        no_control=_NO_LAYER,
    ),
    Attack(
        "the channel's options",
        """
import socket
channel = socket.socket(fileno=os.dup(3))
for option in (16, 26, 32, 33):  # SO_PASSCRED, SO_ATTACH_FILTER, SO_SNDBUFFORCE, SO_RCVBUFFORCE
    print(tried(channel.setsockopt, socket.SOL_SOCKET, option, 1), end=' ')
""",
        Exact("ok", 0, "None EPERM ENOSYS ENOSYS "),
        layers=(Layer.SECCOMP,),
        control=Exact("ok", 0, "None EINVAL EPERM EPERM "),
    ),
)
