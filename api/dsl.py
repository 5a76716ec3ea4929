"""The words in which the remoted APIs are described. Standard library only.

A spec file (api/spec/<api>/<noun>.py) calls these words; it holds descriptions, never program logic. Loading a
spec fills one Description. A pointer parameter of a function that travels must have a role: nothing is guessed
about direction or size, and a function without a full description does not build.

Roles of parameters
    (none)              a scalar, an enum or a handle passed by value; the type says which
    out()               the callee writes one value; of a handle type: a handle that the worker names.
                        owner: the handle parameter with which it ends, or "session"; else the current context
    inout()             read and written
    in_struct()         one flat struct, read
    in_array("n")       n elements, read;        out_array("n")  n elements, written
    in_bytes("n")       n bytes, read;           out_bytes("n")  n bytes, written
    cstring()           NUL-terminated text, read;  out_string("n")  text buffer of n bytes, written
    within("n")         a device address: [value, value + n) must lie in memory of this session; checked on both sides
    each(n)             an index from 0 to n - 1 that a snapshot holds all answers for
    out_list("n", most)  elements whose number is at n, which says first for how many there is room (NVML); several share one n
    versioned("T:v,U:w")  one struct of a type that begins with its size and version; the caller's says which
    Every pointer role takes nullable=True.
Modes
    call()              one round trip
    post(names="p")     no answer; an error comes back as the session's deferred error.
                        names: an out() handle parameter, which the client then names itself
    local("how")        the client answers by itself, by hand (it may send messages); "how" where it needs a word
    refused("why")      never served: CUDA_ERROR_NOT_SUPPORTED
    later("noun")       not served yet: CUDA_ERROR_NOT_SUPPORTED, logged once with its name
    snapshot("group")   answered from a snapshot that the worker takes of the whole group at once (NVML)
    forbidden()         changes the device: NVML_ERROR_NO_PERMISSION, as for a user who is not root (NVML)
"""

import re
from dataclasses import dataclass, field

SIZE_FUNCTIONS = ("rows2d",)  # rows2d(pitch, width, height): extent of a pitched block, see wire/codec.h
CLIENT, WORKER, BOTH = "client", "worker", "both"


class SpecError(Exception):
    """A description that does not hold together; the text names the function and the parameter."""


@dataclass
class Role:
    word: str
    size: str = ""
    nullable: bool = False
    align: int = 1
    count: int = 0  # of each()
    owner: str = ""


def out(nullable=False, owner=""):
    return Role("out", nullable=nullable, owner=owner)


def inout(nullable=False):
    return Role("inout", nullable=nullable)


def in_struct(nullable=False):
    return Role("in_struct", nullable=nullable)


def in_array(size, nullable=False):
    return Role("in_array", size, nullable)


def out_array(size, nullable=False):
    return Role("out_array", size, nullable)


def in_bytes(size, nullable=False):
    return Role("in_bytes", size, nullable)


def out_bytes(size, nullable=False):
    return Role("out_bytes", size, nullable)


def cstring(nullable=False):
    return Role("cstring", nullable=nullable)


def out_string(size, nullable=False):
    return Role("out_string", size, nullable)


def out_list(size, most):
    """As many elements as the variable says that `size` points at; the worker asks for up to `most`."""
    return Role("out_list", size, count=most)


def ends():
    """A handle whose object is gone when the call succeeds, and whatever ends with it."""
    return Role("ends")


def device_pointer():
    """A device address passed as void *: sent as a number, must lie in memory of this session."""
    return Role("device_pointer")


def within(size, align=1):
    return Role("within", size, align=align)


def each(count):
    return Role("each", count=count)


def versioned(types):
    """[(type, version)] in Role.size, as text."""
    return Role("versioned", types)


@dataclass
class Mode:
    word: str
    names: str = ""
    why: str = ""


def call():
    return Mode("call")


def post(names=""):
    return Mode("post", names=names)


def local(how=""):
    return Mode("local", why=how)


def refused(why):
    return Mode("refused", why=why)


def later(why):
    return Mode("later", why=why)


def snapshot(group):
    return Mode("snapshot", names=group)


def forbidden():
    return Mode("forbidden", why="it changes the device")


@dataclass
class Parameter:
    type: str  # without the name, "const void *"
    name: str
    role: Role | None = None

    @property
    def pointee(self):
        return self.type.replace("const ", "").rstrip("* ").strip()

    @property
    def is_pointer(self):
        return self.type.endswith("*") or self.type.endswith("]")


@dataclass
class Function:
    symbol: str
    parameters: list
    mode: Mode
    noun: str
    since: int = 0
    hand: str = ""
    ptsz: int = 0  # version from which the per-thread variant exists; 0: none
    variant: str = ""  # "_ptsz" or "_ptds"
    old: bool = False  # an older variant of another symbol
    ptds_as: str = ""  # the per-thread variant is this symbol on the thread's stream
    same_as: str = ""  # served by another symbol with the same prototype
    in_table: bool = False
    result: str = "CUresult"
    waits: bool = False  # the driver may wait in it for everything that runs on the GPU
    contextless: bool = False  # it needs no context: a current one that is destroyed does not matter

    @property
    def base(self):
        return re.sub(r"_v\d+$", "", self.symbol)

    @property
    def travels(self):
        return self.mode.word in ("call", "post")

    @property
    def served(self):
        return self.mode.word in ("call", "post", "local", "snapshot") or bool(self.same_as)


@dataclass
class Message:
    name: str
    noun: str
    mode: str  # "call", "post" or "event"
    fields: list  # (type, name)
    reply: list
    doc: str
    waits: bool = False


@dataclass
class Struct:
    name: str
    fields: str
    size: int
    align: int
    union: bool
    tag: str = ""


@dataclass
class Enum:
    name: str
    values: list


@dataclass
class Description:
    functions: list = field(default_factory=list)
    messages: list = field(default_factory=list)
    types: list = field(default_factory=list)  # in order: ("alias"|"handle"|"callback"|"constant", ...), Struct, Enum
    handles: set = field(default_factory=set)
    number_handles: set = field(default_factory=set)
    error_texts: list = field(default_factory=list)
    gaps: list = field(default_factory=list)  # (noun, what a served function does not serve, why)
    enums: dict = field(default_factory=dict)
    structs: dict = field(default_factory=dict)
    aliases: dict = field(default_factory=dict)
    noun: str = ""

    def function(self, symbol):
        for f in self.functions:
            if f.symbol == symbol:
                return f
        raise SpecError(f"no function {symbol} is described")

    # ---- words of types -------------------------------------------------------------------------------------
    def handle(self, name, tag=""):
        self.handles.add(name)
        self.types.append(("handle", name, tag or name + "_st"))

    def number_handle(self, name):
        """An integer type that names an object of the driver; it travels as a handle does."""
        self.handles.add(name)
        self.number_handles.add(name)

    def opaque(self, name):
        self.types.append(("opaque", name))

    def error_text(self, code, text):
        if all(code != k for k, _ in self.enums["CUresult"].values):
            raise SpecError(f"error_text: {code} is no CUresult")
        self.error_texts.append((code, text))

    def alias(self, name, target):
        self.aliases[name] = target
        self.types.append(("alias", name, target))

    def callback(self, name, declaration):
        self.types.append(("callback", name, declaration))

    def constant(self, name, value):
        self.types.append(("constant", name, value))

    def enum(self, name, values):
        pairs = []
        for word in values.split():
            key, _, value = word.partition("=")
            if not re.fullmatch(r"-?\d+", value):
                raise SpecError(f"enum {name}: {word!r} is not NAME=number")
            pairs.append((key, int(value)))
        e = Enum(name, pairs)
        self.enums[name] = e
        self.types.append(e)

    def struct(self, name, fields, size, align, union=False, tag=""):
        s = Struct(name, fields, size, align, union, tag)
        self.structs[name] = s
        self.types.append(s)

    # ---- words of calls -------------------------------------------------------------------------------------
    def fn(self, prototype, mode, since=0, hand="", ptsz=0, ptds=0, old=False, same_as="", ptds_as="", waits=False,
           contextless=False, **roles):
        m = re.fullmatch(r"(CUresult|nvmlReturn_t|const char \*) ?(\w+)\((.*)\)", re.sub(r"\s+", " ", prototype.strip()))
        if not m:
            raise SpecError(f"not a prototype: {prototype!r}")
        result, symbol, text = m.groups()
        parameters = []
        if text not in ("void", ""):
            for part in split_parameters(text):
                pm = re.fullmatch(r"(.*?)(\w+)((?:\[\w*\])?)", part.strip())
                ptype = re.sub(r"\s*\*\s*", "*", pm.group(1).strip()).replace("*", " *").replace("* *", "**")
                if pm.group(3):
                    ptype += " *"
                parameters.append(Parameter(ptype.strip(), pm.group(2)))
        f = Function(symbol, parameters, mode, self.noun, since, hand, ptsz or ptds,
                     "_ptsz" if ptsz else ("_ptds" if ptds else ""), old, ptds_as, same_as, result=result, waits=waits, contextless=contextless)
        if any(g.symbol == symbol for g in self.functions):
            raise SpecError(f"{symbol} is described twice")
        known = {p.name: p for p in parameters}
        for name, role in ((n.rstrip("_"), r) for n, r in roles.items()):  # from_= where Python has the word
            if name not in known:
                raise SpecError(f"{symbol} has no parameter {name}")
            known[name].role = role
        if f.travels:
            self.check(f, known)
        self.functions.append(f)

    def check(self, f, known):
        for p in f.parameters:
            if p.is_pointer and p.role is None:
                raise SpecError(f"{f.symbol}: pointer {p.name} has no role")
            if p.role and p.role.owner not in ("", "session") and p.role.owner not in known:
                raise SpecError(f"{f.symbol}: {p.name} ends with {p.role.owner}, which is no parameter")
            if p.role and p.role.size:
                for word in re.findall(r"[A-Za-z_]\w*", p.role.size):
                    if word not in known and word not in SIZE_FUNCTIONS:
                        raise SpecError(f"{f.symbol}: the size of {p.name} names {word}, which is no parameter")
        if f.mode.word == "post":
            for p in f.parameters:
                writes = p.role and p.role.word in ("out", "inout", "out_array", "out_bytes", "out_string")
                if writes and p.name != f.mode.names:
                    raise SpecError(f"{f.symbol}: a posted call cannot write {p.name}")

    def gap(self, what, why):
        """A part of what the noun's functions do that is answered with CUDA_ERROR_NOT_SUPPORTED; for the coverage page."""
        self.gaps.append((self.noun, what, why))

    def message(self, name, mode, fields="", reply="", doc="", waits=False):
        if mode not in ("call", "post", "event"):
            raise SpecError(f"message {name}: mode {mode!r}")
        if not doc:
            raise SpecError(f"message {name} says nothing of itself")
        self.messages.append(Message(name, self.noun, mode, split_fields(fields), split_fields(reply), doc, waits))


def split_parameters(text):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += c == "("
        depth -= c == ")"
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def split_fields(text):
    fields = []
    for part in text.split(","):
        part = part.strip()
        if part:
            ftype, _, name = part.rpartition(" ")
            if not ftype:
                raise SpecError(f"field {part!r} has no type")
            fields.append((ftype.strip(), name))
    return fields
