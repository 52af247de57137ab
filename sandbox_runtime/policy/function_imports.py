"""What the module of a loaded function may import: modules of the standard library, and which names of each.

Every one of these computes and nothing else. A name is left out when it reads files, starts something,
evaluates text, or reads attributes by names made up at run time. Names that only a later Python has may stand
here: an import of one that is missing fails when the module is loaded, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox_runtime.policy.shape import NameTable, Only, words


def _names(*texts: str) -> Only:
    return Only(words(*texts))


_FUTURE = _names(
    "absolute_import annotations barry_as_FLUFL division generator_stop generators nested_scopes",
    "print_function unicode_literals with_statement",
)
_MATH = _names(
    "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e",
    "erf erfc exp exp2",
    "expm1 fabs factorial floor fma fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt",
    "lcm ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh",
    "sqrt sumprod tan tanh tau trunc ulp",
)
_CMATH = _names(
    "acos acosh asin asinh atan atanh cos cosh e exp inf infj isclose isfinite isinf isnan log",
    "log10 nan nanj",
    "phase pi polar rect sin sinh sqrt tan tanh tau",
)
_TIME = _names(
    "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns",
    "gmtime localtime mktime strftime strptime asctime ctime struct_time sleep timezone",
    "altzone daylight tzname",
)
_CALENDAR = _names(
    "Calendar TextCalendar HTMLCalendar isleap leapdays weekday monthrange monthcalendar month calendar",
    "timegm setfirstweekday firstweekday day_name day_abbr month_name month_abbr Day Month",
    "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY",
    "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER",
    "IllegalMonthError IllegalWeekdayError",
)
_DECIMAL = _names(
    "Decimal Context DecimalTuple getcontext setcontext localcontext BasicContext DefaultContext",
    "ExtendedContext MAX_EMAX MAX_PREC MIN_EMIN MIN_ETINY HAVE_THREADS HAVE_CONTEXTVAR",
    "ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP ROUND_05UP",
    "Clamped ConversionSyntax DecimalException DivisionByZero DivisionImpossible DivisionUndefined",
    "FloatOperation Inexact InvalidContext InvalidOperation Overflow Rounded Subnormal Underflow",
)
_RANDOM = _names(
    "Random SystemRandom betavariate binomialvariate choice choices expovariate gammavariate gauss",
    "getrandbits getstate lognormvariate normalvariate paretovariate randbytes randint random randrange",
    "sample seed setstate shuffle triangular uniform vonmisesvariate weibullvariate",
)
_STATISTICS = _names(
    "NormalDist StatisticsError correlation covariance fmean geometric_mean harmonic_mean kde kde_random",
    "linear_regression mean median median_grouped median_high median_low mode multimode pstdev pvariance",
    "quantiles stdev variance",
)
_RE = _names(
    "compile search match fullmatch split findall finditer sub subn escape purge Pattern Match error",
    "PatternError RegexFlag NOFLAG A ASCII I IGNORECASE L LOCALE M MULTILINE S DOTALL U UNICODE X VERBOSE",
    # Not Scanner and template: undocumented
)
_STRING = _names(
    "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation",
    "whitespace Template",
)
_ITERTOOLS = _names(
    "accumulate batched chain combinations combinations_with_replacement compress count cycle dropwhile",
    "filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest",
)
_FUNCTOOLS = _names(
    "cache cached_property cmp_to_key lru_cache partial partialmethod Placeholder reduce total_ordering",
    "update_wrapper wraps WRAPPER_ASSIGNMENTS WRAPPER_UPDATES",
)
_OPERATOR = _names(
    "abs add and_ attrgetter call concat contains countOf delitem eq floordiv ge getitem gt",
    "iadd iand iconcat",
    "ifloordiv ilshift imatmul imod imul index indexOf inv invert ior ipow irshift is_ is_none is_not",
    "is_not_none isub itemgetter itruediv ixor le length_hint lshift lt matmul methodcaller mod mul ne neg",
    "not_ or_ pos pow rshift setitem sub truediv truth xor",
)
_COLLECTIONS_ABC = _names(
    "AsyncGenerator AsyncIterable AsyncIterator Awaitable Buffer ByteString Callable Collection Container",
    "Coroutine Generator Hashable ItemsView Iterable Iterator KeysView Mapping MappingView MutableMapping",
    "MutableSequence MutableSet Reversible Sequence Set Sized ValuesView",
)
_TYPING = _names(
    "AbstractSet Annotated Any AnyStr AsyncContextManager AsyncGenerator AsyncIterable AsyncIterator",
    "Awaitable BinaryIO Callable ChainMap",
    "ClassVar Collection Concatenate Container Coroutine Counter DefaultDict Deque Dict Final FrozenSet",
    "Generator Generic Hashable IO ItemsView Iterable Iterator KeysView List Literal LiteralString Mapping",
    "MappingView Match MutableMapping MutableSequence MutableSet NamedTuple Never NewType NoReturn",
    "NotRequired Optional OrderedDict ParamSpec ParamSpecArgs ParamSpecKwargs Pattern Protocol ReadOnly",
    "Required Reversible Self Sequence Set Sized SupportsAbs SupportsBytes SupportsComplex SupportsFloat",
    "SupportsIndex SupportsInt SupportsRound Text TextIO Tuple Type TypeAlias TypeAliasType TypeGuard TypeIs",
    "TypeVar TypeVarTuple TypedDict TYPE_CHECKING Union Unpack ValuesView",
    "ContextManager assert_never assert_type cast final is_typeddict overload override reveal_type",
)
_DATACLASSES = _names(
    "dataclass field fields asdict astuple replace is_dataclass Field FrozenInstanceError",
    "InitVar KW_ONLY MISSING",
)
_ENUM = _names(
    "Enum IntEnum StrEnum Flag IntFlag auto unique member nonmember verify CONTINUOUS NAMED_FLAGS UNIQUE",
    "FlagBoundary STRICT CONFORM EJECT KEEP",
)
_CONTEXTLIB = _names(
    "AbstractAsyncContextManager AbstractContextManager AsyncExitStack ContextDecorator ExitStack aclosing",
    "asynccontextmanager closing contextmanager nullcontext suppress",
)
_ASYNCIO = _names(
    "sleep gather wait wait_for shield timeout timeout_at as_completed create_task TaskGroup Task Future",
    "Lock Event Condition Semaphore BoundedSemaphore Barrier BrokenBarrierError",
    "Queue LifoQueue PriorityQueue QueueEmpty QueueFull QueueShutDown",
    "CancelledError InvalidStateError TimeoutError ALL_COMPLETED FIRST_COMPLETED FIRST_EXCEPTION",
    "iscoroutine iscoroutinefunction",
)
_UUID = _names(
    "UUID uuid3 uuid4 uuid5 uuid8 NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 SafeUUID",
    "RESERVED_FUTURE RESERVED_MICROSOFT RESERVED_NCS RFC_4122 NIL MAX",
)
_HASHLIB = _names(
    "md5 sha1 sha224 sha256 sha384 sha512 sha3_224 sha3_256 sha3_384 sha3_512 shake_128 shake_256 blake2b",
    "blake2s new pbkdf2_hmac scrypt algorithms_available algorithms_guaranteed",
)
_BASE64 = _names(
    "a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode",
    "b64decode b64encode",
    "b85decode b85encode decodebytes encodebytes standard_b64decode standard_b64encode urlsafe_b64decode",
    "urlsafe_b64encode z85decode z85encode",
)
_BINASCII = _names(
    "a2b_base64 a2b_hex a2b_qp a2b_uu b2a_base64 b2a_hex b2a_qp b2a_uu crc32 crc_hqx hexlify unhexlify",
    "Error Incomplete",
)
_CSV = _names(
    "reader writer DictReader DictWriter Dialect Sniffer Error excel excel_tab unix_dialect register_dialect",
    "unregister_dialect get_dialect list_dialects field_size_limit QUOTE_ALL QUOTE_MINIMAL QUOTE_NONE",
    "QUOTE_NONNUMERIC QUOTE_NOTNULL QUOTE_STRINGS",
)
_ZLIB = _names(
    "adler32 compress compressobj crc32 decompress decompressobj error DEFLATED DEF_BUF_SIZE DEF_MEM_LEVEL",
    "MAX_WBITS Z_BEST_COMPRESSION Z_BEST_SPEED Z_DEFAULT_COMPRESSION Z_DEFAULT_STRATEGY",
    "Z_FINISH Z_FULL_FLUSH",
    "Z_NO_COMPRESSION Z_SYNC_FLUSH",
)
_IPADDRESS = _names(
    "ip_address ip_interface ip_network IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface",
    "IPv6Network AddressValueError NetmaskValueError collapse_addresses get_mixed_type_key",
    "summarize_address_range v4_int_to_packed v6_int_to_packed",
)

IMPORTS: Mapping[str, NameTable] = {
    "__future__": _FUTURE,
    "abc": _names("ABC abstractmethod"),  # not ABCMeta: see function_names
    "asyncio": _ASYNCIO,
    "base64": _BASE64,
    "binascii": _BINASCII,
    "bisect": _names("bisect bisect_left bisect_right insort insort_left insort_right"),
    "calendar": _CALENDAR,
    "cmath": _CMATH,
    "collections": _names(
        "ChainMap Counter OrderedDict UserDict UserList UserString abc defaultdict deque namedtuple"
    ),
    "collections.abc": _COLLECTIONS_ABC,
    "colorsys": _names("hls_to_rgb hsv_to_rgb rgb_to_hls rgb_to_hsv rgb_to_yiq yiq_to_rgb"),
    "contextlib": _CONTEXTLIB,
    "copy": _names("copy deepcopy replace Error error"),
    "csv": _CSV,
    "dataclasses": _DATACLASSES,
    "datetime": _names("date datetime time timedelta timezone tzinfo MINYEAR MAXYEAR UTC"),
    "decimal": _DECIMAL,
    "difflib": _names(
        "Differ Match SequenceMatcher context_diff diff_bytes get_close_matches ndiff restore unified_diff",
        "IS_CHARACTER_JUNK IS_LINE_JUNK",
    ),
    "enum": _ENUM,
    "fnmatch": _names("filter filterfalse fnmatch fnmatchcase translate"),
    "fractions": _names("Fraction"),
    "functools": _FUNCTOOLS,
    "graphlib": _names("TopologicalSorter CycleError"),
    "hashlib": _HASHLIB,
    "heapq": _names(
        "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
        "heapify_max heappop_max heappush_max heappushpop_max heapreplace_max",
    ),
    "hmac": _names("HMAC compare_digest digest new"),
    "html": _names("escape unescape parser"),
    "html.parser": _names("HTMLParser"),
    "ipaddress": _IPADDRESS,
    "itertools": _ITERTOOLS,
    "json": _names("dumps loads JSONDecodeError JSONDecoder JSONEncoder"),
    "math": _MATH,
    "numbers": _names("Number Complex Real Rational Integral"),
    "operator": _OPERATOR,
    "random": _RANDOM,
    "re": _RE,
    "secrets": _names(
        "SystemRandom choice compare_digest randbelow randbits token_bytes token_hex token_urlsafe"
    ),
    "statistics": _STATISTICS,
    "string": _STRING,
    "struct": _names("Struct calcsize error iter_unpack pack pack_into unpack unpack_from"),
    "textwrap": _names("TextWrapper dedent fill indent shorten wrap"),
    "time": _TIME,
    "typing": _TYPING,
    "unicodedata": _names(
        "bidirectional category combining decimal decomposition digit east_asian_width is_normalized lookup",
        "mirrored name normalize numeric ucd_3_2_0 unidata_version",
    ),
    "uuid": _UUID,
    "zlib": _ZLIB,
}

_SYSTEM = "it reaches the operating system, which a function has nothing of"
_NETWORK = "a function has no network; pass what it needs as arguments"
_PROCESS = "a function starts no processes and no threads"
_NATIVE = "it calls machine code past every check that Python makes"
_CODE = "it makes or runs code that nobody has judged"
_INSIDE = "it leads into the interpreter: frames, code objects, all that is alive"
_FILES = "a function has no files; take texts as arguments and return them"
_BYTES_AS_CODE = "what it reads can run code"
_LOG = "nobody reads a log here; return what is to be known"
_LATER = "it keeps or moves state behind the caller's back"
_THIRD_PARTY = "there are no packages but the standard library"

_MODULES_BY_REASON: Mapping[str, frozenset[str]] = {
    _SYSTEM: words(
        "os sys posix platform resource pwd grp fcntl select selectors signal atexit site",
        "sysconfig faulthandler",
        "syslog errno stat mmap termios tty pty getpass curses readline locale",
    ),
    _NETWORK: words(
        "socket ssl requests urllib http httpx aiohttp ftplib imaplib poplib smtplib socketserver telnetlib",
        "xmlrpc urllib3 websockets wsgiref webbrowser email",
    ),
    _PROCESS: words("subprocess multiprocessing threading _thread concurrent sched queue"),
    _NATIVE: words("ctypes cffi _ctypes"),
    _CODE: words(
        "importlib imp pkgutil runpy zipimport code codeop ast compileall py_compile builtins",
        "__main__ symtable",
        "types pyclbr timeit doctest unittest",
    ),
    _INSIDE: words(
        "inspect gc dis traceback tracemalloc weakref opcode bdb pdb cProfile profile trace linecache"
    ),
    _FILES: words(
        "io pathlib shutil tempfile glob fileinput filecmp zipfile tarfile gzip bz2 lzma sqlite3",
        "dbm zoneinfo",
        "configparser mimetypes netrc",
    ),
    _BYTES_AS_CODE: words("pickle marshal shelve copyreg pickletools codecs"),
    _LOG: words("logging warnings argparse optparse cmd pprint"),
    _LATER: words("contextvars"),
    _THIRD_PARTY: words(
        "numpy pandas scipy sklearn matplotlib pydantic yaml bs4 dateutil pytz nltk torch",
        "tensorflow fastapi flask",
    ),
}
_EVALUATES = "it evaluates annotations that are texts"
_BY_NAMES = "it makes classes from names made up at run time; write a class"

REFUSED_IMPORTS: Mapping[str, str] = {
    **{module: reason for reason, modules in _MODULES_BY_REASON.items() for module in modules},
    "abc.ABCMeta": "classes have no metaclass of their own; derive from ABC",
    "asyncio.run": "the function is run in an event loop when it is async; await instead",
    "asyncio.to_thread": _PROCESS,
    "collections.abc.*": "each name must be imported by itself",
    "dataclasses.make_dataclass": _BY_NAMES,
    "enum.EnumMeta": _BY_NAMES,
    "enum.EnumType": _BY_NAMES,
    "functools.singledispatch": f"{_EVALUATES}; use match or isinstance",
    "functools.singledispatchmethod": f"{_EVALUATES}; use match or isinstance",
    "json.dump": _FILES,
    "json.load": _FILES,
    "string.Formatter": "its templates read attributes out of the judge's sight; use an f-string",
    "typing.ForwardRef": _EVALUATES,
    "typing.get_args": "it takes annotations apart down to the class of all classes",
    "typing.get_origin": "it takes annotations apart down to the class of all classes",
    "typing.get_type_hints": _EVALUATES,
    "typing.runtime_checkable": "it reads attributes of any object by the names of a class",
    "uuid.uuid1": "it asks the system for the address of its network card; use uuid4",
    "uuid.getnode": "it asks the system for the address of its network card; use uuid4",
}
