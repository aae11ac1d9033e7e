// Reads PTX. What it does not know is an error that names it.
#pragma once

#include <map>
#include <unordered_map>

#include "lanes.hpp"

namespace ptx_on_cpu {

class Parser {
 public:
  explicit Parser(std::unique_ptr<Module> module)
      : module_(std::move(module)), text_(module_->text) {}

  std::unique_ptr<Module> parse_module();

 private:
  struct Declaration {
    std::string_view name;
    Type type = Type::kNone;
    int alignment = 0, bytes = 0;
    bool array = false;
  };
  struct Range {
    int first, count;
  };
  // What is between braces.
  struct Scope {
    std::unordered_map<std::string_view, int> registers, labels;
    std::unordered_map<std::string_view, Range> ranges;  // %r<154>
    std::vector<std::pair<size_t, std::string_view>> branches;
  };

  // Text.
  [[noreturn]] void refuse(const std::string& why) const;
  void skip_space();
  std::string_view word();
  std::string_view peek();
  void expect(std::string_view w);
  std::string_view up_to(char end);
  int64_t number(std::string_view s) const;
  uint64_t immediate(std::string_view s, int bytes) const;

  // Declarations.
  Declaration declaration();
  void variable();
  void file();
  void kernel();
  void parameters();
  void body();
  void registers();
  void close_scope();
  int add_register(std::string name, int bytes);

  // Instructions (operands.cpp).
  void instruction(std::string_view text, int line);
  Choice choose(const Statement& s, Instruction& i);
  int find_register(std::string_view name);
  At source(const Statement& s, std::string_view operand, int bytes);
  At destination(const Statement& s, std::string_view operand);
  void destinations(const Statement& s, std::string_view operand,
                    Instruction& i);
  void address(const Statement& s, std::string_view operand, Instruction& i,
               int from, bool second);
  At constant(uint64_t bits, int bytes);
  int width(std::string_view operand);

  // Registers (registers.cpp).
  void allocate();

  std::unique_ptr<Module> module_;
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  std::unordered_map<std::string_view, int> dynamic_;  // and its alignment
  std::vector<Declaration> shared_;                    // of the module
  std::unordered_map<std::string, uint64_t> symbols_;

  // Of the kernel.
  Kernel* kernel_ = nullptr;
  std::vector<Scope> scopes_;
  std::vector<int> widths_;  // of registers: bytes of a lane
  std::map<std::pair<uint64_t, int>, At> constants_;  // bits, bytes
  std::unordered_map<std::string, uint64_t> locals_;
  Origin origin_;
};

}  // namespace ptx_on_cpu
