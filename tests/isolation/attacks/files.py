# ruff: noqa: E501 - a program of one line stays one line
"""Files: the host's, the jail's own, devices, links, and what a path may be made to mean."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, says

_HOST_FILES = (Layer.PRIVATE_ROOT, Layer.LANDLOCK)
_SAME = "reads the same secret as 'host file by its path', which has one"
_MODES = "outside the jail the file's own mode stops it too"
_SCRATCH = "without its scratch a worker has no directory for main.py and does not start"

ROWS = (
    Attack(
        "host file by its path",
        "print(tried(lambda: open('@SECRET@').read()))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("the host's secret"),
    ),
    Attack(
        "host directory listed",
        "print(tried(lambda: sorted(os.listdir(os.path.dirname('@SECRET@')))))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("['open', 'secret']"),
    ),
    Attack(
        "host file written",
        "print(tried(lambda: open('@OPEN@', 'a').write('')))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("0"),
    ),
    Attack(
        "host file through a symlink in the scratch",
        "os.symlink('@SECRET@', 'link')\nprint(tried(lambda: open('link').read()))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("the host's secret"),
    ),
    Attack(
        "host file by .. above the root",
        "up = '../' * 40\nprint(tried(lambda: open(up + '@SECRET@').read()))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("the host's secret"),
    ),
    Attack(
        "host file by .. from a directory descriptor",
        """
top = os.open('/', os.O_PATH)
print(tried(lambda: os.read(os.open('../..@SECRET@', os.O_RDONLY, dir_fd=top), 100).decode()))
""",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("the host's secret"),
    ),
    Attack(
        "host root where pivot_root had put it",
        "print(os.listdir('/.old'), tried(os.listdir, '/.old/etc'), os.listdir('/.empty'))",
        says("[] ENOENT []"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control=_SAME,
    ),
    Attack(
        "host accounts and keys",
        """
for path in ('/etc/shadow', '/etc/ssh', '/home', '/var', '/run', '/boot', '/opt', '/srv', '/mnt', '/usr/bin',
             '/usr/local', '/etc/machine-id', '/etc/resolv.conf', '/dev/shm', '/dev/mem', '/dev/tty', '/dev/kmsg'):
    assert tried(os.stat, path) == 'ENOENT', path
print(sorted(os.listdir('/etc')))
""",
        says("['group', 'hosts', 'ld.so.cache', 'nsswitch.conf', 'passwd']"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control=_SAME,
    ),
    Attack(
        "root directory has nothing but what Python needs",
        """
known = {'tmp', 'etc', 'dev', 'lib', 'lib32', 'lib64', 'usr', '.empty', '.old', os.__file__.split('/')[1]}
print(sorted(set(os.listdir('/')) - known))
""",
        says("[]"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control=_SAME,
    ),
    Attack(
        "root's home holds no file",
        """
found = []
for base, directories, names in os.walk('/root'):
    if os.__file__.startswith(base + '/') and base != os.path.dirname(os.__file__):
        found += names
    else:
        directories.clear()
print(found)
""",
        says("[]"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control=_SAME,
    ),
    Attack(
        "standard library overwritten",
        "print(tried(open, os.__file__, 'a'), tried(os.unlink, os.__file__))",
        says("EACCES EROFS"),
        layers=_HOST_FILES,
        no_control=_MODES,
    ),
    Attack(
        "new file outside the scratch",
        """
for place in ('/', '/etc', '/dev', '/usr/lib', '/.old', '/.empty', os.path.dirname(os.__file__)):
    print(tried(open, place + '/new', 'x'))
""",
        says(*["EROFS"] * 7),
        layers=_HOST_FILES,
        no_control=_MODES,
    ),
    Attack(
        "accounts file of the jail changed",
        "print(tried(open, '/etc/passwd', 'w'), tried(os.chmod, '/etc/passwd', 0o666), tried(os.utime, '/etc/passwd'))",
        says("EROFS EROFS EROFS"),
        layers=_HOST_FILES,
        no_control=_MODES,
    ),
    Attack(
        "file of the jail moved or linked into the scratch",
        "print(tried(os.link, '/etc/passwd', 'p'), tried(os.rename, '/etc/passwd', 'p'))",
        says("EXDEV EXDEV"),
        fence=Fence.KERNEL,
        no_control="two file systems are two file systems without any layer",
    ),
    Attack(
        "extended attributes and file capabilities",
        "print(tried(os.setxattr, 'main.py', 'user.a', b'1'), call(NR_setxattr, b'main.py', b'security.capability', b'', 0, 0))",
        says("ENOTSUP ENOTSUP"),
        layers=(Layer.SECCOMP,),
        no_control="whether a tmpfs takes user attributes depends on the kernel",
    ),
    Attack(
        "set-uid bit in the scratch",
        "os.chmod('main.py', 0o6755)\nprint(oct(os.stat('main.py').st_mode), bool(os.statvfs('.').f_flag & os.ST_NOSUID))",
        says("0o106755 True"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "device nodes made",
        """
import stat
for kind in (stat.S_IFCHR, stat.S_IFBLK):
    print(tried(os.mknod, 'node', kind | 0o666, os.makedev(1, 1)), call(NR_mknodat, -100, b'node', kind | 0o666, 257))
""",
        says("EPERM EPERM", "EPERM EPERM"),
        layers=(Layer.SECCOMP, Layer.CAPABILITIES),
        no_control="no user namespace may make a node, whatever the layers",
    ),
    Attack(
        "device nodes there are",
        "print(sorted(os.listdir('/dev')), len(os.read(os.open('/dev/urandom', os.O_RDONLY), 8)))",
        says("['null', 'random', 'urandom', 'zero'] 8"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control=_SAME,
    ),
    Attack(
        "random device reseeded",
        """
import fcntl
device = os.open('/dev/urandom', os.O_RDWR)
print([tried(fcntl.ioctl, device, number, 0) for number in (0x5201, 0x5204, 0x5207)])
""",
        says("['ENOSYS', 'ENOSYS', 'ENOSYS']"),
        layers=(Layer.SECCOMP,),
        no_control="would touch the host's random pool",
    ),
    Attack(
        "shared library run from the scratch",
        """
import shutil, _ctypes
shutil.copy(next(p for p in ('/lib/x86_64-linux-gnu/libc.so.6', '/lib/aarch64-linux-gnu/libc.so.6',
                             '/usr/lib64/libc.so.6') if os.path.exists(p)), 'mine.so')
try:
    _ctypes.dlopen('/tmp/mine.so', 2)
except OSError as error:
    print(error)
""",
        says("/tmp/mine.so: failed to map segment from shared object"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch file mapped executable, then made so",
        """
import mmap
with open('code', 'w+b') as file:
    file.write(bytes(4096))
    file.flush()
    print(tried(mmap.mmap, file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
    m = mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE)
    print(call(NR_mprotect, ctypes.addressof(ctypes.c_char.from_buffer(m)), 4096, 5))
""",
        says("EPERM", "EACCES"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch is the program's alone",
        "print(os.listdir('.'), oct(os.stat('.').st_mode), os.getcwd())",
        says("['main.py'] 0o40700 /tmp"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "file handles",
        "print(call(NR_name_to_handle_at, -100, b'/', b'', 0, 0), call(NR_open_by_handle_at, 3, b'', 0))",
        says("EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        no_control="needs a capability over the host's file system",
    ),
    Attack(
        "watching what others do with files",
        "print(call(NR_inotify_init1, 0), call(NR_fanotify_init, 0, 0), tried(__import__('fcntl').fcntl, os.open('/', 0), 1026, 1))",
        says("EPERM EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        no_control="what it opens is a descriptor with a number of the kernel's choice",
    ),
    Attack(
        "lease on a file of the standard library",
        "import fcntl\nprint(tried(fcntl.fcntl, os.open('main.py', os.O_RDONLY), 1024, fcntl.F_RDLCK))",
        says("EPERM"),
        layers=(Layer.SECCOMP,),
        control=says("0"),
    ),
    Attack(
        "packages of the host imported",
        """
import importlib, sys
for name in ('orjson', 'sandbox_runtime', 'service', 'seccomp', 'uvicorn', 'starlette', 'pip', 'setuptools'):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(error.name, end=' ')
print([name for name in sys.modules if name.startswith(('orjson', 'sandbox', 'service'))])
""",
        says("orjson sandbox_runtime service seccomp uvicorn starlette pip setuptools []"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control="without a private root the worker's own path still holds none of them",
    ),
    Attack(
        "proc and sys",
        """
for path in ('/proc', '/proc/self/mem', '/proc/1/root', '/proc/self/cwd', '/proc/self/exe', '/proc/self/fd/3',
             '/sys', '/sys/fs/cgroup', '/dev/fd', '/dev/stdin'):
    print(tried(os.stat, path), end=' ')
""",
        Exact("ok", 0, "ENOENT " * 10),
        layers=_HOST_FILES,
        no_control="what the host's /proc shows is not known beforehand; 'host proc entered' has one",
    ),
    Attack(
        "host proc entered",
        "print(tried(lambda: open('/proc/self/comm').read() != ''))",
        says("ENOENT"),
        layers=_HOST_FILES,
        control=says("True"),
    ),
)
