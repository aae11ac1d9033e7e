"""What single instructions of PTX compute, beside Python."""

import math

import numpy as np
import nvrtc
import ptx_kernels
import ptx_on_cpu
import pytest
from ptx_on_cpu.sweeps import unsupported

if ptx_on_cpu.unsupported():
    pytest.skip(str(ptx_on_cpu.unsupported()), allow_module_level=True)

NAN, INF = math.nan, math.inf
REGISTERS = {2: "rs", 4: "r", 8: "rd"}


def run(body, inputs, result):
    """Run instructions in all lanes of a warp, on rows of inputs.

    In ``body``, ``{a}``, ``{b}`` ... are the registers of the inputs and
    ``{to}`` that of the result.
    """
    inputs = [np.asarray(a) for a in inputs]
    count = max(a.size for a in inputs)
    inputs = [np.resize(a, 32) for a in inputs]
    out = np.zeros(32, result)
    names = "abcd"[: len(inputs)]
    lines, values = [], {}
    for k, (name, a) in enumerate(zip(names, inputs)):
        size = a.itemsize
        values[name] = f"%{REGISTERS[size]}{k + 1}"
        lines.append(
            f"ld.param.u64 %rd8, [p{k}]; mad.lo.u64 %rd8, %rd9, {size}, %rd8;"
            f" ld.global.u{8 * size} {values[name]}, [%rd8];"
        )
    values["to"] = f"%{REGISTERS[out.itemsize]}0"
    last = len(inputs)
    parameters = ", ".join(f".param .u64 p{k}" for k in range(last + 1))
    text = f""".version 7.0
.target sm_80
.visible .entry k({parameters})
{{
  .reg .pred %p<5>; .reg .b16 %rs<10>; .reg .b32 %r<10>; .reg .b64 %rd<10>;
  cvt.u64.u32 %rd9, %tid.x;
  {" ".join(lines)}
  {body.format(**values)}
  ld.param.u64 %rd8, [p{last}]; mad.lo.u64 %rd8, %rd9, {out.itemsize}, %rd8;
  st.global.u{8 * out.itemsize} [%rd8], {values["to"]};
  ret;
}}"""
    module = ptx_on_cpu.Module(text)
    module.get_function("k")((1,), (32,), (*inputs, out))
    return out[:count]


def check(body, inputs, expected):
    actual = run(body, inputs, expected.dtype)
    if expected.dtype.kind == "f":
        zero = expected == 0
        np.testing.assert_array_equal(
            np.signbit(actual[zero]), np.signbit(expected[zero])
        )
    np.testing.assert_array_equal(actual, expected)


def numbers(dtype, *values):
    return np.array(values, dtype)


INTEGERS = {
    np.dtype(t): np.array(
        [0, 1, 2, 7, 31, 100, np.iinfo(t).max, np.iinfo(t).min, 999], object
    ).astype(t)
    for t in (np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64)
}


def type_name(dtype):
    return f"{dtype.kind.replace('i', 's')}{8 * dtype.itemsize}"


def wrapped(values, dtype):
    bits = 8 * dtype.itemsize
    out = [int(v) % 2**bits for v in values]
    if dtype.kind == "i":
        out = [v - 2**bits if v >= 2 ** (bits - 1) else v for v in out]
    return np.array(out, dtype)


def quotient(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@pytest.mark.parametrize("dtype", INTEGERS, ids=type_name)
def test_integers(dtype):
    a = np.repeat(INTEGERS[dtype], 3)
    b = np.tile(INTEGERS[dtype][[1, 3, 7 if dtype.kind == "i" else 6]], 9)
    c = INTEGERS[dtype][np.arange(27) % 9]
    name, bits = type_name(dtype), 8 * dtype.itemsize
    pairs = [(int(x), int(y)) for x, y in zip(a, b)]
    for instruction, values in {
        f"add.{name}": [x + y for x, y in pairs],
        f"sub.{name}": [x - y for x, y in pairs],
        f"mul.lo.{name}": [x * y for x, y in pairs],
        f"mul.hi.{name}": [x * y >> bits for x, y in pairs],
        f"min.{name}": [min(p) for p in pairs],
        f"max.{name}": [max(p) for p in pairs],
        f"div.{name}": [quotient(x, y) for x, y in pairs],
        f"rem.{name}": [x - y * quotient(x, y) for x, y in pairs],
        f"and.b{bits}": [x & y for x, y in pairs],
        f"or.b{bits}": [x | y for x, y in pairs],
        f"xor.b{bits}": [x ^ y for x, y in pairs],
    }.items():
        check(
            f"{instruction} {{to}}, {{a}}, {{b}};",
            (a, b),
            wrapped(values, dtype),
        )
    for kind, shift in (("lo", 0), ("hi", bits)):
        check(
            f"mad.{kind}.{name} {{to}}, {{a}}, {{b}}, {{c}};",
            (a, b, c),
            wrapped(
                [(x * y >> shift) + int(z) for (x, y), z in zip(pairs, c)],
                dtype,
            ),
        )
    by = np.arange(27, dtype=np.uint32) * 3
    check(
        f"shr.{name} {{to}}, {{a}}, {{b}};",
        (a, by),
        wrapped([int(x) >> int(n) for x, n in zip(a, by)], dtype),
    )
    check(
        f"shl.b{bits} {{to}}, {{a}}, {{b}};",
        (a, by),
        wrapped([int(x) << int(n) for x, n in zip(a, by)], dtype),
    )
    if dtype.kind == "i":
        check(
            f"neg.{name} {{to}}, {{a}};",
            (a,),
            wrapped([-int(x) for x in a], dtype),
        )
        check(
            f"abs.{name} {{to}}, {{a}};",
            (a,),
            wrapped([abs(int(x)) for x in a], dtype),
        )


def test_products_that_are_wider():
    a, b = INTEGERS[np.dtype(np.int32)], INTEGERS[np.dtype(np.int32)][::-1]
    exact = a.astype(np.int64) * b
    check("mul.wide.s32 {to}, {a}, {b};", (a, b), exact)
    c = np.arange(9) * 2**40
    check("mad.wide.s32 {to}, {a}, {b}, {c};", (a, b, c), exact + c)
    u, v = a.view(np.uint32), b.view(np.uint32)
    check("mul.wide.u32 {to}, {a}, {b};", (u, v), u.astype(np.uint64) * v)


def test_division_by_zero():
    with pytest.raises(ptx_on_cpu.PTXError, match="thread 1: division by"):
        run(
            "div.s32 {to}, {a}, {b};",
            [INTEGERS[np.dtype(np.int32)], np.array([1, 0], np.int32)],
            np.int32,
        )


def test_bits():
    a = np.array([0x12345678, 0xFFFF0001, 0, 0x80000000], np.uint32)
    b = np.array([0x9ABCDEF0, 0x00FF00FF, 5, 0xFFFFFFFF], np.uint32)
    both = [int(y) << 32 | int(x) for x, y in zip(a, b)]
    mask = 2**32 - 1
    for n in (0, 8, 31, 40):
        clamped, wraps = min(n, 32), n & 31
        check(
            f"shf.l.clamp.b32 {{to}}, {{a}}, {{b}}, {n};",
            (a, b),
            np.array([(v << clamped) >> 32 & mask for v in both], np.uint32),
        )
        check(
            f"shf.r.wrap.b32 {{to}}, {{a}}, {{b}}, {n};",
            (a, b),
            np.array([v >> wraps & mask for v in both], np.uint32),
        )
    c = np.array([0xF0F0F0F0] * 4, np.uint32)
    check("lop3.b32 {to}, {a}, {b}, {c}, 150;", (a, b, c), a ^ b ^ c)
    check("lop3.b32 {to}, {a}, {b}, {c}, 0xE2;", (a, b, c), (a & b) | (c & ~b))
    check(
        "prmt.b32 {to}, {a}, {b}, 0x5410;",
        (a, b),
        (a & 0xFFFF) | (b & 0xFFFF) << 16,
    )
    check(
        "prmt.b32 {to}, {a}, {b}, 0x0008;",
        (a[3:], b[3:]),
        np.array([0], np.uint32),
    )
    check(
        "bfi.b32 {to}, {a}, {b}, 4, 8;",
        (a, b),
        (b & ~np.uint32(0xFF0)) | (a & 0xFF) << 4,
    )
    check("bfe.u32 {to}, {a}, 4, 12;", (a,), a >> 4 & 0xFFF)
    check(
        "bfe.s32 {to}, {a}, 28, 12;",
        (a.view(np.int32),),
        a.view(np.int32) >> 28,
    )
    check("not.b32 {to}, {a};", (a,), ~a)
    counts = [bin(x).count("1") for x in a]
    check("popc.b32 {to}, {a};", (a,), np.array(counts, np.uint32))
    leading = [32 - int(x).bit_length() for x in a]
    check("clz.b32 {to}, {a};", (a,), np.array(leading, np.uint32))
    reverse = [int(f"{x:032b}"[::-1], 2) for x in a]
    check("brev.b32 {to}, {a};", (a,), np.array(reverse, np.uint32))
    check("mov.b64 {to}, {{{a}, {b}}};", (a, b), np.array(both, np.uint64))
    check("mov.b64 {{_, {to}}}, {a};", (np.array(both, np.uint64),), b)


VALUES = [0.0, -0.0, 1.5, -2.25, 1e-40, -1e-40, INF, -INF, NAN, 3.0]


def flushed(a):
    small = np.abs(a) < np.finfo(a.dtype).tiny
    return np.where(small, np.copysign(a.dtype.type(0), a), a)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flush", [False, True])
def test_floating_point(dtype, flush):
    if flush and dtype == np.float64:
        return
    a = np.repeat(numbers(dtype, *VALUES), 3)
    b = np.tile(numbers(dtype, 1.1, -1e-40, NAN), 10)
    name = f"f{8 * a.itemsize}"
    ftz = ".ftz" if flush else ""
    kept = flushed if flush else np.asarray
    x, y = kept(a), kept(b)
    with np.errstate(all="ignore"):
        for instruction, values in {
            "add": x + y,
            "sub": x - y,
            "mul": x * y,
            "min": np.fmin(x, y),
            "max": np.fmax(x, y),
            "div.rn": x / y,
        }.items():
            actual = run(
                f"{instruction}{ftz}.{name} {{to}}, {{a}}, {{b}};",
                (a, b),
                dtype,
            )
            np.testing.assert_array_equal(actual, kept(values.astype(dtype)))
        for instruction, values in {
            "sqrt.rn": np.sqrt(x),
            "rcp.rn": 1 / x,
            "abs": np.abs(x),
            "neg": -x,
        }.items():
            check(
                f"{instruction}{ftz}.{name} {{to}}, {{a}};",
                (a,),
                kept(values.astype(dtype)),
            )
        order = {
            "eq": x == y,
            "ne": (x < y) | (x > y),
            "lt": x < y,
            "le": x <= y,
            "gt": x > y,
            "ge": x >= y,
            "equ": ~((x < y) | (x > y)),
            "neu": x != y,
            "ltu": ~(x >= y),
            "leu": ~(x > y),
            "gtu": ~(x <= y),
            "geu": ~(x < y),
            "num": ~np.isnan(x) & ~np.isnan(y),
            "nan": np.isnan(x) | np.isnan(y),
        }
        for relation, values in order.items():
            check(
                f"setp.{relation}{ftz}.{name} %p1, {{a}}, {{b}};"
                " selp.u32 {to}, 1, 0, %p1;",
                (a, b),
                values.astype(np.uint32),
            )


def test_multiply_and_add_rounds_once():
    a, b = np.float32(1.1), np.float32(-1.21)
    exact = np.float32(np.float64(a) * np.float64(a) + np.float64(b))
    check(
        "fma.rn.f32 {to}, {a}, {a}, {b};", (a, b), numbers(np.float32, exact)
    )
    assert exact != a * a + b


def test_predicates():
    a = np.arange(8, dtype=np.uint32)
    odd, high = a % 2 == 1, a > 3
    for logic, values in {
        "and.pred %p3, %p1, %p2;": odd & high,
        "or.pred %p3, %p1, %p2;": odd | high,
        "xor.pred %p3, %p1, %p2;": odd ^ high,
        "not.pred %p3, %p1;": ~odd,
        "mov.pred %p3, %p1;": odd,
        "setp.gt.and.u32 %p3, {a}, 3, !%p1;": high & ~odd,
        "setp.gt.or.u32 %p3|%p4, {a}, 3, %p1;": high | odd,
        "setp.gt.or.u32 %p4|%p3, {a}, 3, %p1;": ~high | odd,
    }.items():
        check(
            "and.b32 %r5, {a}, 1; setp.eq.u32 %p1, %r5, 1;"
            f" setp.gt.u32 %p2, {{a}}, 3; {logic} selp.u32 {{to}}, 1, 0, %p3;",
            (a,),
            values.astype(np.uint32),
        )
    check(
        "setp.gt.u32 %p1, {a}, 3; mov.u32 {to}, 5; @!%p1 mov.u32 {to}, 6;",
        (a,),
        np.where(high, 5, 6).astype(np.uint32),
    )


@pytest.mark.parametrize(
    ("types", "given", "expected"),
    [
        ("rni.s32.f32", [2.5, 3.5, -2.5, NAN, 1e20], [2, 4, -2, 0, 2**31 - 1]),
        ("rzi.s32.f64", [2.9, -2.9, -1e20, INF], [2, -2, -(2**31), 2**31 - 1]),
        ("rmi.s64.f64", [-2.1, 1e300, NAN], [-3, 2**63 - 1, -(2**63)]),
        ("rpi.u32.f32", [2.1, -5.0, 1e20], [3, 0, 2**32 - 1]),
        ("rmi.f32.f32", [-2.1, 2.9, INF], [-3.0, 2.0, INF]),
        ("rn.f32.s32", [3, -7, 2**24 + 1], [3.0, -7.0, 2.0**24]),
        ("rn.f64.u64", [2**63, 5], [2.0**63, 5.0]),
        ("rn.f32.f64", [1.1, 1e-46, 1e39], [np.float32(1.1), 0.0, INF]),
        ("ftz.f64.f32", [1e-40, 1.5], [0.0, 1.5]),
        ("f64.f32", [2.0**-140, 1.5], [2.0**-140, 1.5]),
        ("s64.s32", [-5, 7], [-5, 7]),
        ("u64.u32", [2**32 - 1], [2**32 - 1]),
        ("u32.u64", [2**33 + 5], [5]),
        ("s32.s8", [0x1FF, 0x7F], [-1, 127]),
        ("u32.u16", [0xFFFF], [0xFFFF]),
    ],
)
def test_conversions(types, given, expected):
    to, of = types.split(".")[-2:]
    dtypes = {
        "f32": np.float32,
        "f64": np.float64,
        "s8": np.int32,
        **{f"s{n}": np.dtype(f"i{n // 8}") for n in (16, 32, 64)},
        **{f"u{n}": np.dtype(f"u{n // 8}") for n in (16, 32, 64)},
    }
    with np.errstate(over="ignore"):
        check(
            f"cvt.{types} {{to}}, {{a}};",
            (np.array(given, dtypes[of]),),
            np.array(expected, dtypes[to]),
        )


@pytest.mark.parametrize("perturb", [False, True])
def test_approximate_functions(perturb):
    x = np.geomspace(1e-3, 50, 32).astype(np.float32)
    for name, exact in {
        "rcp": 1 / x.astype(float),
        "rsqrt": 1 / np.sqrt(x.astype(float)),
        "sqrt": np.sqrt(x.astype(float)),
        "ex2": np.exp2(x.astype(float)),
        "lg2": np.log2(x.astype(float)),
    }.items():
        text = f""".version 7.0
.target sm_70
.visible .entry k(.param .u64 x, .param .u64 y) {{
  .reg .f32 %f; .reg .b64 %a, %b;
  ld.param.u64 %a, [x]; mad.wide.u32 %a, %tid.x, 4, %a; ld.f32 %f, [%a];
  {name}.approx.ftz.f32 %f, %f;
  ld.param.u64 %b, [y]; mad.wide.u32 %b, %tid.x, 4, %b; st.f32 [%b], %f;
}}"""
        out = np.zeros_like(x)
        module = ptx_on_cpu.Module(text, perturb=perturb)
        module.get_function("k")((1,), (32,), (x, out))
        error = np.abs(out - exact) / np.spacing(np.abs(out))
        assert error.max() <= (2 if perturb else 0.51)
        assert perturb == (error.max() > 0.51)


def test_kernels_of_every_compiler():
    """A kernel that uses much, from each NVRTC and for old and new cards."""
    if unsupported():
        pytest.skip(unsupported())
    found = 0
    for library in nvrtc.libraries():
        for arch in (70, 75, 80, 90, 100):
            if arch not in library.architectures():
                continue
            text = ptx_kernels.ptx_of(np.float64, arch, library)
            module = ptx_on_cpu.Module(text)
            x = np.arange(64.0).reshape(2, 32)
            out = np.zeros(2)
            module.get_function("halving")((2,), (32,), (x, out))
            np.testing.assert_array_equal(out, x.sum(1))
            found += 1
    assert found
