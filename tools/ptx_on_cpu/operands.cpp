// Instructions: what executes them, and where their operands are.
//
// Until registers have places, operands are numbers of registers, or with the
// sign bit, of constants.
#include <string.h>

#include "parser.hpp"

namespace ptx_on_cpu {

namespace {

constexpr std::string_view kSpecials[] = {
    "%tid.x",       "%tid.y",       "%tid.z",       "%ntid.x",
    "%ntid.y",      "%ntid.z",      "%ctaid.x",     "%ctaid.y",
    "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
    "%laneid",      "%warpid",      "%nwarpid",     "%lanemask_eq",
    "%lanemask_lt", "%lanemask_le", "%lanemask_gt", "%lanemask_ge"};

constexpr std::string_view kWithoutResult[] = {
    "st",        "red",      "bar",       "barrier",        "membar",
    "fence",     "prefetch", "prefetchu", "griddepcontrol", "cp",
    "nanosleep", "trap"};

Undefined undefined_of(const Statement& s, Kind kind) {
  const std::string_view name = s.parts[0];
  if (name == "selp") return Undefined::kSelects;
  if (s.type() == Type::kPredicate && name == "and") return Undefined::kAnd;
  if (s.type() == Type::kPredicate && name == "or") return Undefined::kOr;
  const bool computes = kind == Kind::kPlain && name != "ld" && name != "st" &&
                        name != "cp" && name != "div" && name != "rem";
  return computes ? Undefined::kPassesOn : Undefined::kRefuses;
}

template <size_t kCount>
bool among(const std::string_view (&names)[kCount], std::string_view name) {
  for (const std::string_view& n : names) {
    if (n == name) return true;
  }
  return false;
}

}  // namespace

int Parser::find_register(std::string_view name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->registers.find(name);
    if (found != scope->registers.end()) return found->second;
    const size_t digits = name.find_last_not_of("0123456789") + 1;
    if (digits == name.size()) continue;
    const auto range = scope->ranges.find(name.substr(0, digits));
    if (range != scope->ranges.end()) {
      const int index = (int)number(name.substr(digits));
      if (index < range->second.count) return range->second.first + index;
    }
  }
  if (!among(kSpecials, name)) return -1;
  const int special = add_register(std::string(name), 4);
  scopes_.front().registers[name] = special;
  kernel_->specials.push_back({std::string(name), special});
  return special;
}

At Parser::constant(uint64_t bits, int bytes) {
  if (bytes && bytes < 8) bits &= (1ull << 8 * bytes) - 1;
  if (!bytes) bits = bits ? kAll : 0;
  return constants_
      .try_emplace({bits, bytes}, (At)(constants_.size() | 0x80000000))
      .first->second;
}

int Parser::width(std::string_view operand) {
  operand = elements(operand)[0];
  if (!operand.empty() && operand[0] == '!') operand.remove_prefix(1);
  const int r = find_register(operand);
  return r < 0 ? -1 : widths_[(size_t)r];
}

At Parser::source(const Statement& s, std::string_view operand, int bytes) {
  if (operand.empty()) s.refuse("an operand is missing");
  if (bytes == 0 && operand[0] == '!') operand = trim(operand.substr(1));
  const int r = find_register(operand);
  if (r >= 0) {
    if (bytes >= 0 && widths_[(size_t)r] != bytes) {
      s.refuse("the register " + std::string(operand) +
               " has another width than the operation");
    }
    return r;
  }
  const std::string name(operand);
  if (name[0] == '%') s.refuse("unknown register " + name);
  const auto local = locals_.find(name);
  if (local != locals_.end()) return constant(local->second, bytes);
  const auto symbol = symbols_.find(name);
  if (symbol != symbols_.end()) return constant(symbol->second, bytes);
  const auto dynamic = dynamic_.find(operand);
  if (dynamic != dynamic_.end()) {
    int& alignment = kernel_->dynamic_alignment;
    if (alignment < dynamic->second) alignment = dynamic->second;
    const uint64_t to = (uint64_t)alignment;
    return constant(((uint64_t)kernel_->shared_bytes + to - 1) / to * to,
                    bytes);
  }
  return constant(immediate(operand, bytes), bytes);
}

At Parser::destination(const Statement& s, std::string_view operand) {
  if (operand == "_") return kNone;
  const int r = find_register(operand);
  if (r < 0) s.refuse("unknown register " + std::string(operand));
  return r;
}

// %r1, %p1|%p2 or {%r1, %r2}
void Parser::destinations(const Statement& s, std::string_view operand,
                          Instruction& i) {
  const bool two = operand.find('|') != operand.npos;
  const auto parts = two ? split(operand, '|') : elements(operand);
  if (parts.size() > 4) s.refuse("more than four elements");
  for (size_t k = 0; k < parts.size(); ++k) {
    i.to[k] = destination(s, parts[k]);
  }
}

// [%rd1+16], [name+16] or [%rd1]
void Parser::address(const Statement& s, std::string_view operand,
                     Instruction& i, int from, bool second) {
  if (operand.empty() || operand[0] != '[') s.refuse("expected an address");
  std::string_view inside = trim(operand.substr(1, operand.rfind(']') - 1));
  int64_t offset = 0;
  const size_t plus = inside.find('+');
  if (plus != inside.npos) {
    offset = number(inside.substr(plus + 1));
    inside = trim(inside.substr(0, plus));
  }
  const int bytes = width(inside) == 4 ? 4 : 8;
  if (second) {
    if (bytes == 4) s.refuse("an address of 32 bits");
    i.target = (int32_t)offset;
  } else {
    i.offset = offset;
    if (bytes == 4) i.variant |= 1;
  }
  i.from[from] = source(s, inside, bytes);
}

Choice Parser::choose(const Statement& s, Instruction& i) {
  const std::string_view name = s.parts[0];
  for (const auto find :
       {find_arithmetic, find_comparison, find_integer, find_bits,
        find_conversion, find_memory, find_atomic, find_collective}) {
    const Choose choose = find(name);
    if (choose) return choose(s, i);
  }
  s.refuse("this instruction is not known");
}

void Parser::instruction(std::string_view text, int line) {
  Statement s(text, line);
  Instruction i;
  if (!s.guard.empty()) {
    i.guard = source(s, s.guard, 0);
    i.negated_guard = s.negated;
  }
  const std::string_view name = s.parts[0];
  if (name == "bra") {
    i.kind = Kind::kBranch;
    scopes_.back().branches.emplace_back(kernel_->code.size(), s.operands[0]);
  } else if (name == "ret" || name == "exit") {
    i.kind = Kind::kExit;
  } else {
    for (const std::string_view& o : s.operands) {
      s.widths.push_back(width(o.substr(0, o.find('|'))));
    }
    const Choice choice = choose(s, i);
    i.execute = choice.execute;
    i.undefined = undefined_of(s, i.kind);
    size_t operand = 0;
    if (!among(kWithoutResult, name)) {
      if (s.operands.empty()) s.refuse("another number of operands");
      destinations(s, s.operands[operand++], i);
    }
    int from = 0;
    const char* letters = choice.sources ? choice.sources : "";
    for (; *letters && operand < s.operands.size(); ++letters) {
      const std::string_view o = s.operands[operand++];
      if (*letters == 'a' || *letters == '@') {
        address(s, o, i, from++, *letters == '@');
      } else if (*letters == 'v') {
        i.stores = true;
        const auto parts = elements(o);
        if (parts.size() != i.count) s.refuse("another number of elements");
        // Immediates are as wide as the type.
        const int bytes = s.widths[operand - 1] < 0 ? bytes_of(s.type())
                                                    : s.widths[operand - 1];
        for (size_t k = 0; k < parts.size(); ++k) {
          i.to[k] = source(s, parts[k], bytes);
        }
      } else if (*letters != 'x') {
        const int bytes = *letters == 'p'   ? 0
                          : *letters == 'r' ? -1
                                            : *letters - '0';
        for (const std::string_view& part : elements(o)) {
          if (from == 4) s.refuse("more than four sources");
          i.from[from++] = source(s, part, bytes);
        }
      }
    }
    if (choice.sources && (*letters || operand < s.operands.size())) {
      s.refuse("another number of operands");
    }
    if (name == "setp") {
      if (i.offset) std::swap(i.from[0], i.from[1]);
      i.offset = 0;
    }
  }
  kernel_->code.push_back(i);
  origin_.line = line;
  kernel_->origins.push_back(origin_);
}

}  // namespace ptx_on_cpu
