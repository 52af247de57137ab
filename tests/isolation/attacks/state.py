# ruff: noqa: E501, RUF001 - a program of one line stays one line; the letters that look alike are the attack
"""The restricted policy through the real worker, and what a program finds of the worker itself."""

from __future__ import annotations

from tests.isolation.attack import Attack, Exact, Fence, says

_REFUSED = Exact("rejected", 1, "")
_RESTRICTED = {"policy": "restricted"}


def _policy(name: str, program: str, control: Exact) -> Attack:
    """Refused as ``restricted``; as ``program`` the same text runs."""
    return Attack(
        name,
        program,
        _REFUSED,
        fence=Fence.POLICY,
        options=_RESTRICTED,
        control=control,
        control_options={"policy": "program"},
        raw=True,
    )


ROWS = (
    _policy("policy: import", "import os\nprint(os.getcwd())", says("/tmp")),
    _policy("policy: import in an expression", "print(__import__('os').getcwd())", says("/tmp")),
    _policy(
        "policy: dunder by attribute",
        "print(().__class__.__base__.__subclasses__()[0])",
        says("<class 'type'>"),
    ),
    _policy(
        "policy: generator frame",
        "g = (x for x in [1])\nprint(g.gi_frame.f_builtins['len']('ab'))",
        says("2"),
    ),
    _policy("policy: str.format", "print('{0.__class__}'.format(1))", says("<class 'int'>")),
    _policy("policy: format_map", "print('{a.__class__}'.format_map({'a': 1}))", says("<class 'int'>")),
    _policy("policy: str.format by name", "print(str.format('{0.__class__}', 1))", says("<class 'int'>")),
    _policy("policy: getattr", "print(getattr(1, '__class__'))", says("<class 'int'>")),
    _policy(
        "policy: class pattern",
        "match 1:\n    case int(__class__=c):\n        print(c)",
        says("<class 'int'>"),
    ),
    _policy("policy: NFKC attribute", "print(().__ｃlass__)", says("<class 'tuple'>")),
    _policy("policy: NFKC name", "print(ｇetattr(1, '__class__'))", says("<class 'int'>")),
    _policy("policy: decorator", "@print\nclass A:\n    pass", says("<class '__main__.A'>")),
    _policy("policy: mutable default", "def f(a=[].__class__):\n    print(a)\nf()", says("<class 'list'>")),
    _policy("policy: eval", "print(eval('1 + 1'))", says("2")),
    _policy("policy: open", "print(open('main.py').read(4))", says("prin")),
    _policy("policy: builtins by name", "print(__builtins__.len('ab'))", says("2")),
    _policy(
        "policy: traceback of an exception",
        "try:\n    1 / 0\nexcept Exception as e:\n    print(e.__traceback__.tb_lineno)",
        says("2"),
    ),
    _policy(
        "policy: coroutine",
        "async def f():\n    pass\nc = f()\nprint(c.cr_frame.f_lineno)\nc.close()",
        says("1"),
    ),
    _policy("policy: lambda's globals", "print((lambda: 0).__globals__['__name__'])", says("__main__")),
    _policy(
        "policy: del and global",
        "def f():\n    global g\n    g = ().__class__\nf()\nprint(g)",
        says("<class 'tuple'>"),
    ),
    Attack(
        "environment",
        "print(sorted(os.environ))\nctypes.pythonapi.environ = 0\nenviron = ctypes.POINTER(ctypes.c_char_p).in_dll(_libc, 'environ')\nn = 0\nwhile environ[n]:\n    n += 1\nprint(n)",
        says("['HOME', 'LANG', 'LOGNAME', 'PATH', 'TMPDIR', 'USER']", "6"),
        fence=Fence.WORKER,
        no_control="the supervisor starts the zygote with an environment of its own",
    ),
    Attack(
        "the zygote's command line",
        "import sys\nprint(sys.argv, sys.orig_argv[1:], [p for p in sys.path if not p.startswith((os.path.dirname(os.__file__), '/tmp'))])",
        says("['main.py'] ['main.py'] []"),
        fence=Fence.WORKER,
        no_control="the worker clears it; no layer does",
    ),
    Attack(
        "modules of the worker",
        "import sys\nprint([m for m in sys.modules if m.split('.')[0] in ('sandbox_runtime', 'service', 'seccomp', 'orjson')])",
        says("[]"),
        fence=Fence.WORKER,
        no_control="the worker forgets them; there is nothing in them but its own code",
    ),
)
