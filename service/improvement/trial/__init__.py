"""What a candidate does with the calls that the live version has had: the evidence on which it is judged."""
