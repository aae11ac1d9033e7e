// A statement of PTX: an instruction with its operands, as it is written.
#pragma once

#include <stdint.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ptx_on_cpu {

enum class Type : uint8_t {
  kB8,
  kB16,
  kB32,
  kB64,
  kU8,
  kU16,
  kU32,
  kU64,
  kS8,
  kS16,
  kS32,
  kS64,
  kF32,
  kF64,
  kPredicate,
  kNone,
};

inline Type type_of(std::string_view name) {
  static constexpr std::string_view names[] = {
      "b8", "b16", "b32", "b64", "u8",  "u16", "u32", "u64",
      "s8", "s16", "s32", "s64", "f32", "f64", "pred"};
  for (int i = 0; i < 15; ++i) {
    if (names[i] == name) return (Type)i;
  }
  return Type::kNone;
}

// Bytes of a lane; a predicate has a bit, all of them in a word of the warp.
inline int bytes_of(Type t) {
  return t == Type::kF32         ? 4
         : t == Type::kF64       ? 8
         : t >= Type::kPredicate ? 0
                                 : 1 << ((int)t & 3);
}

inline bool is_signed(Type t) { return t >= Type::kS8 && t <= Type::kS64; }
inline bool is_float(Type t) { return t == Type::kF32 || t == Type::kF64; }

inline std::string_view trim(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t\n\r");
  if (begin == s.npos) return {};
  return s.substr(begin, s.find_last_not_of(" \t\n\r") - begin + 1);
}

// Splits at commas outside of brackets.
inline std::vector<std::string_view> split(std::string_view s, char by) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= s.size(); ++i) {
    const char c = i < s.size() ? s[i] : by;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (i == s.size() || (c == by && depth == 0)) {
      parts.push_back(trim(s.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return parts;
}

// The elements of {a, b}, or the operand itself.
inline std::vector<std::string_view> elements(std::string_view operand) {
  if (operand.empty() || operand[0] != '{') return {operand};
  return split(operand.substr(1, operand.rfind('}') - 1), ',');
}

class Statement {
 public:
  // `text` is an instruction without the semicolon.
  Statement(std::string_view text, int line) : line(line) {
    text = trim(text);
    if (text[0] == '@') {
      negated = text[1] == '!';
      text.remove_prefix(1 + negated);
      const size_t end = text.find_first_of(" \t\n");
      guard = text.substr(0, end);
      text = trim(text.substr(end));
    }
    const size_t end = text.find_first_of(" \t\n{");
    name = text.substr(0, end);
    parts = split(name, '.');
    if (end != text.npos && !trim(text.substr(end)).empty()) {
      operands = split(trim(text.substr(end)), ',');
    }
    for (const std::string_view& part : parts) {
      const Type t = type_of(part);
      if (t != Type::kNone) types.push_back(t);
    }
  }

  bool has(std::string_view part) const {
    for (size_t i = 1; i < parts.size(); ++i) {
      if (parts[i] == part) return true;
    }
    return false;
  }
  // The type of the operation: the last that is named.
  Type type() const { return types.empty() ? Type::kNone : types.back(); }

  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error("line " + std::to_string(line) + ": " +
                             std::string(name) + ": " + why);
  }

  int line;
  std::string_view name, guard;
  bool negated = false;
  std::vector<std::string_view> parts, operands;
  std::vector<int> widths;  // of registers, or those of a vector
  std::vector<Type> types;
};

// What executes a statement, and what its sources are: one letter each, for
// the bytes of a lane ('1', '2', '4', '8'), a predicate ('p'), or a register
// of any width ('r').
struct Choice {
  Execute execute = nullptr;
  const char* sources = "";
};

}  // namespace ptx_on_cpu
