// Arithmetic that integers and floating-point numbers share, and functions.
#include <algorithm>

#include "lanes.hpp"

namespace ptx_on_cpu {

namespace {

// --- Operations on one lane ---

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return (T)(a + b);
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return (T)(a - b);
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 2)
      return (T)((uint32_t)a * b);
    else
      return a * b;
  }
};
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};
// Of floating-point numbers, a NaN counts only if both are.
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T least = a < b || (a == b && signbit(a)) ? a : b;
      return a != a ? b : b != b ? a : least;
    } else {
      return a < b ? a : b;
    }
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T most = a > b || (a == b && !signbit(a)) ? a : b;
      return a != a ? b : b != b ? a : most;
    } else {
      return a > b ? a : b;
    }
  }
};
struct MultiplyAdd {
  template <class T>
  T operator()(T a, T b, T c) const {
    if constexpr (sizeof(T) == 4)
      return __builtin_fmaf(a, b, c);
    else
      return __builtin_fma(a, b, c);
  }
};
struct Negate {
  template <class T>
  T operator()(T a) const {
    return (T)-a;
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(a);
    else
      return (T)(a < 0 ? 0 - (std::make_unsigned_t<T>)a : a);
  }
};
struct SquareRoot {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Reciprocal {
  template <class T>
  T operator()(T a) const {
    return 1 / a;
  }
};
// Rounded once more than the operation is.
struct InverseRoot {
  template <class T>
  T operator()(T a) const {
    return (T)(1 / std::sqrt((double)a));
  }
};
struct Exponential {
  float operator()(float a) const { return (float)std::exp2((double)a); }
};
struct Logarithm {
  float operator()(float a) const { return (float)std::log2((double)a); }
};
struct Sine {
  float operator()(float a) const { return (float)std::sin((double)a); }
};
struct Cosine {
  float operator()(float a) const { return (float)std::cos((double)a); }
};
struct HyperbolicTangent {
  float operator()(float a) const { return (float)std::tanh((double)a); }
};
// The operands are the sign and the magnitude.
struct CopySign {
  template <class T>
  T operator()(T a, T b) const {
    return std::copysign(b, a);
  }
};

// --- On all lanes ---

template <class T, bool kFlush, class F>
void unary(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    return maybe_flushed<kFlush>(F()(maybe_flushed<kFlush>(a[l])));
  });
}

template <class T, bool kFlush, class F>
void binary(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    return maybe_flushed<kFlush>(
        F()(maybe_flushed<kFlush>(a[l]), maybe_flushed<kFlush>(b[l])));
  });
}

template <class T, bool kFlush, class F>
void ternary(Warp& w, const Instruction& i, uint32_t lanes) {
  const T* a = w.in<T>(i.from[0]);
  const T* b = w.in<T>(i.from[1]);
  const T* c = w.in<T>(i.from[2]);
  set_lanes(w.out<T>(i.to[0]), lanes, [=](int l) {
    return maybe_flushed<kFlush>(F()(maybe_flushed<kFlush>(a[l]),
                                     maybe_flushed<kFlush>(b[l]),
                                     maybe_flushed<kFlush>(c[l])));
  });
}

// Functions that a GPU does not round exactly. Those that err at random stay
// within two units in the last place.
template <bool kFlush, class F>
void approximate(Warp& w, const Instruction& i, uint32_t lanes) {
  const float* a = w.in<float>(i.from[0]);
  Machine& m = *w.machine;
  const bool perturb = m.options.perturb;
  set_each(w.out<float>(i.to[0]), lanes, [&](int l) {
    const float x = maybe_flushed<kFlush>(a[l]);
    float v = F()(x);
    const uint32_t bits = bits_as<uint32_t>(v) & 0x7fffffff;
    if (perturb && bits > 0x00800001 && bits < 0x7f7ffffe &&
        bits != 0x3f800000) {
      v = bits_as<float>(bits_as<uint32_t>(v) + m.random() % 3 - 1);
    }
    return maybe_flushed<kFlush>(v);
  });
}

// The upper half of the result, as a GPU has it.
template <class F>
void coarse(Warp& w, const Instruction& i, uint32_t lanes) {
  const double* a = w.in<double>(i.from[0]);
  set_lanes(w.out<double>(i.to[0]), lanes, [=](int l) {
    return bits_as<double>(bits_as<uint64_t>(F()(a[l])) & 0xffffffff00000000);
  });
}

// --- Choosing ---

// For both kinds of float32, and float64.
#define PTX_ON_CPU_FLOAT(form, F, count)                          \
  (flush ? Choice{form<float, true, F>, sources_of<float>(count)} \
         : Choice{form<float, false, F>, sources_of<float>(count)})

template <class F>
Choice choose_binary(const Statement& s, Instruction&) {
  if (s.has("sat")) s.refuse("saturation is not known");
  const Type t = s.type();
  const bool flush = t == Type::kF32 && s.has("ftz");
  if (t == Type::kF32) return PTX_ON_CPU_FLOAT(binary, F, 2);
  if (t == Type::kF64) return {binary<double, false, F>, "88"};
  return for_unsigned(s, t, [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{binary<T, false, F>, sources_of<T>(2)};
  });
}

// For operations that tell signed numbers from others.
template <class F>
Choice choose_ordered(const Statement& s, Instruction& i) {
  const Type t = s.type();
  if (is_float(t)) {
    if (s.has("NaN")) s.refuse("the NaN of both is not known");
    const bool flush = t == Type::kF32 && s.has("ftz");
    if (t == Type::kF32) return PTX_ON_CPU_FLOAT(binary, F, 2);
    return {binary<double, false, F>, "88"};
  }
  (void)i;
  return for_integer(s, t, [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{binary<T, false, F>, sources_of<T>(2)};
  });
}

template <class F>
Choice choose_float_unary(const Statement& s, Instruction&) {
  const bool flush = s.type() == Type::kF32 && s.has("ftz");
  if (s.type() == Type::kF32) return PTX_ON_CPU_FLOAT(unary, F, 1);
  if (s.type() == Type::kF64) return {unary<double, false, F>, "8"};
  s.refuse("not for this type");
}

template <class F>
Choice choose_sign(const Statement& s, Instruction& i) {
  if (is_float(s.type())) return choose_float_unary<F>(s, i);
  return for_integer(s, s.type(), [](auto tag) {
    using T = typename decltype(tag)::type;
    return Choice{unary<T, false, F>, sources_of<T>(1)};
  });
}

template <class F>
Choice choose_function(const Statement& s, Instruction& i) {
  if (s.type() == Type::kF32 && s.has("approx")) {
    return {s.has("ftz") ? approximate<true, F> : approximate<false, F>, "4"};
  }
  if constexpr (std::is_same_v<F, Reciprocal> ||
                std::is_same_v<F, InverseRoot>) {
    if (s.type() == Type::kF64 && s.has("approx")) return {coarse<F>, "8"};
  }
  if constexpr (std::is_same_v<F, Reciprocal> ||
                std::is_same_v<F, SquareRoot>) {
    return choose_float_unary<F>(s, i);
  }
  s.refuse("not for this type");
}

Choice choose_fma(const Statement& s, Instruction&) {
  if (s.has("sat")) s.refuse("saturation is not known");
  const bool flush = s.type() == Type::kF32 && s.has("ftz");
  if (s.type() == Type::kF32) {
    return PTX_ON_CPU_FLOAT(ternary, MultiplyAdd, 3);
  }
  if (s.type() == Type::kF64) {
    return {ternary<double, false, MultiplyAdd>, "888"};
  }
  s.refuse("not for this type");
}

const Operation operations[] = {
    {"add", choose_binary<Add>},
    {"sub", choose_binary<Subtract>},
    {"fma", choose_fma},
    {"min", choose_ordered<Minimum>},
    {"max", choose_ordered<Maximum>},
    {"neg", choose_sign<Negate>},
    {"abs", choose_sign<Absolute>},
    {"sqrt", choose_function<SquareRoot>},
    {"rcp", choose_function<Reciprocal>},
    {"rsqrt", choose_function<InverseRoot>},
    {"ex2", choose_function<Exponential>},
    {"lg2", choose_function<Logarithm>},
    {"sin", choose_function<Sine>},
    {"cos", choose_function<Cosine>},
    {"tanh", choose_function<HyperbolicTangent>},
};

}  // namespace

// Of products and quotients, those of integers are others.
Choose find_arithmetic(std::string_view name) {
  if (name == "mul") {
    return [](const Statement& s, Instruction& i) -> Choice {
      if (is_float(s.type())) return choose_binary<Multiply>(s, i);
      return find_integer("mul")(s, i);
    };
  }
  if (name == "mad") {
    return [](const Statement& s, Instruction& i) -> Choice {
      if (is_float(s.type())) return choose_fma(s, i);
      return find_integer("mad")(s, i);
    };
  }
  if (name == "div") {
    return [](const Statement& s, Instruction& i) -> Choice {
      if (s.has("full")) s.refuse("div.full is not known");
      if (is_float(s.type())) {
        const bool flush = s.type() == Type::kF32 && s.has("ftz");
        if (s.type() == Type::kF32) {
          return PTX_ON_CPU_FLOAT(binary, Divide, 2);
        }
        return {binary<double, false, Divide>, "88"};
      }
      return find_integer("div")(s, i);
    };
  }
  if (name == "copysign") {
    return [](const Statement& s, Instruction&) -> Choice {
      if (s.type() == Type::kF32)
        return {binary<float, false, CopySign>, "44"};
      if (s.type() == Type::kF64)
        return {binary<double, false, CopySign>, "88"};
      s.refuse("not for this type");
    };
  }
  return find(operations, name);
}

}  // namespace ptx_on_cpu
