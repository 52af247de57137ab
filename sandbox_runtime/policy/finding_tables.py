"""What the static findings look for: modules, functions, attributes and calls, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox_runtime.policy.shape import words

_NETWORK = ("network", "the sandbox has no network, so its connections fail")
_PROCESS = ("process", "the sandbox starts no processes, so its calls fail")
_DISPLAY = ("display", "the sandbox has no display and no terminal")
_NATIVE = ("native", "it calls C code past every check that Python makes")

_NETWORK_MODULES = words(
    "socket ssl socketserver ftplib imaplib nntplib poplib smtplib smtpd telnetlib xmlrpc",
    "urllib.request http.client http.server",
    "aiohttp boto3 botocore grpc httpx paramiko playwright psycopg psycopg2 pymongo pymysql redis requests",
    "selenium urllib3 websocket websockets",
    # Not asyncio: it runs without a network. Not http and urllib: they hold status codes and URL parsing.
)

# Reported where they are imported. A module stands for everything below it.
MODULES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(_NETWORK_MODULES, _NETWORK),
    **dict.fromkeys(words("subprocess multiprocessing pty sh pexpect"), _PROCESS),
    **dict.fromkeys(words("tkinter turtle curses webbrowser pygame"), _DISPLAY),
    **dict.fromkeys(words("ctypes cffi"), _NATIVE),
}

# Parts of the modules above that work all the same: threads in the guise of processes, and plain questions.
HARMLESS = words(
    "multiprocessing.dummy multiprocessing.pool.ThreadPool multiprocessing.cpu_count socket.gethostname"
)

_OS_PROCESSES = words(
    "system popen fork forkpty posix_spawn posix_spawnp",
    "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe",
    "execl execle execlp execlpe execv execve execvp execvpe",
)

# Reported wherever they are named.
FUNCTIONS: Mapping[str, tuple[str, str]] = {
    **{f"os.{name}": _PROCESS for name in _OS_PROCESSES},
    "asyncio.create_subprocess_exec": _PROCESS,
    "asyncio.create_subprocess_shell": _PROCESS,
    "concurrent.futures.ProcessPoolExecutor": _PROCESS,
    "concurrent.futures.process.ProcessPoolExecutor": _PROCESS,
    "asyncio.open_connection": _NETWORK,
    "asyncio.start_server": _NETWORK,
}

# Reported when their first argument is not a literal.
DYNAMIC_CODE = words(
    "eval exec compile builtins.eval builtins.exec builtins.compile",
    "__import__ importlib.import_module marshal.loads",
    # Not pickle.loads: programs copy and store their own objects with it.
)

# Attributes that plain programs have no use for, and the steps by which a walk begins.
INTERNALS = words("__globals__ __builtins__ f_globals f_builtins f_locals gi_frame cr_frame ag_frame")
CLIMBS = words("__class__ __base__ __bases__ __mro__")

# Reported when their first argument is an absolute path outside the places where the sandbox has files.
PATH_FUNCTIONS = words(
    "open io.open builtins.open codecs.open sqlite3.connect",
    "os.open os.listdir os.scandir os.walk os.mkdir os.makedirs os.remove os.unlink os.rmdir os.chdir",
    "os.rename shutil.rmtree shutil.copy shutil.move",
)
PATH_CLASSES = words("pathlib.Path pathlib.PosixPath")
PATH_METHODS = words(
    "iterdir mkdir open read_bytes read_text rename rmdir touch unlink write_bytes write_text"
)
KNOWN_PLACES = ("/tmp", "/dev")

LISTINGS = words("os.listdir os.scandir os.walk os.fwalk glob.glob glob.iglob")
LISTING_METHODS = words("iterdir glob rglob")
DELETIONS = words("os.remove os.unlink os.rmdir os.removedirs shutil.rmtree")
DELETION_METHODS = words("unlink rmdir")

# input raises EOFError when stdin is exhausted.
ENDINGS = words("sys.exit os._exit os.abort exit quit input")
