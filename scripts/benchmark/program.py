"""The program that every contender runs."""

CODE = "total = sum(range(1000))\nprint(total)\nresult = total\n"
