// The text of a module: its variables and kernels.
#include "parser.hpp"

#include <string.h>

#include <algorithm>

namespace ptx_on_cpu {

namespace {

bool is_name(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' ||
         c == '.';
}

}  // namespace

// --- Text ---

void Parser::refuse(const std::string& why) const {
  throw std::runtime_error("line " + std::to_string(line_) + ": " + why);
}

void Parser::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_;
      ++at_;
    } else if (isspace((unsigned char)c)) {
      ++at_;
    } else if (text_.compare(at_, 2, "//") == 0) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (text_.compare(at_, 2, "/*") == 0) {
      const size_t end = text_.find("*/", at_);
      if (end == text_.npos) refuse("a comment without an end");
      line_ += (int)std::count(&text_[at_], &text_[end], '\n');
      at_ = end + 2;
    } else {
      return;
    }
  }
}

std::string_view Parser::word() {
  skip_space();
  const size_t begin = at_;
  while (at_ < text_.size() && is_name(text_[at_])) ++at_;
  if (at_ == begin && at_ < text_.size()) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Parser::peek() {
  const size_t at = at_;
  const int line = line_;
  const std::string_view w = word();
  at_ = at;
  line_ = line;
  return w;
}

void Parser::expect(std::string_view w) {
  const std::string_view found = word();
  if (found != w) {
    refuse("expected " + std::string(w) + ", got " + std::string(found));
  }
}

std::string_view Parser::up_to(char end) {
  const size_t begin = at_;
  at_ = text_.find(end, at_);
  if (at_ == text_.npos) refuse(std::string("no ") + end);
  const std::string_view found = text_.substr(begin, at_ - begin);
  line_ += (int)std::count(found.begin(), found.end(), '\n');
  ++at_;
  return found;
}

// --- Declarations ---

int64_t Parser::number(std::string_view s) const {
  const std::string text(trim(s));
  char* end;
  const bool negative = !text.empty() && text[0] == '-';
  const int64_t v = negative ? strtoll(text.c_str(), &end, 0)
                             : (int64_t)strtoull(text.c_str(), &end, 0);
  if (text.empty() || (*end && *end != 'U')) refuse("no number: " + text);
  return v;
}

// What follows .shared, .local, .global, .const or .param: ".align 8 .b8
// name[4]", up to the end of the name.
Parser::Declaration Parser::declaration() {
  Declaration d;
  for (;;) {
    const std::string_view w = word();
    if (w == ".align") {
      d.alignment = (int)number(word());
    } else if (w == ".ptr" || w == ".global" || w == ".shared" ||
               w == ".const" || w == ".managed") {
      continue;
    } else if (w[0] == '.') {
      d.type = type_of(w.substr(1));
      if (d.type == Type::kNone) refuse("unknown " + std::string(w));
    } else {
      d.name = w;
      break;
    }
  }
  d.bytes = bytes_of(d.type);
  if (!d.alignment) d.alignment = d.bytes;
  while (peek() == "[") {
    word();
    d.array = true;
    if (peek() == "]") {
      d.bytes = 0;
    } else {
      d.bytes *= (int)number(word());
    }
    expect("]");
  }
  return d;
}

void Parser::variable() {
  const Declaration d = declaration();
  auto v = std::make_unique<Variable>();
  v->name = d.name;
  v->bytes.resize((size_t)d.bytes);
  const int size = bytes_of(d.type);
  if (peek() == "=") {
    word();
    std::string_view values = up_to(';');
    if (!trim(values).empty() && trim(values)[0] == '{') {
      values = trim(values).substr(1);
      values = values.substr(0, values.rfind('}'));
    }
    size_t k = 0;
    for (const std::string_view value : split(values, ',')) {
      const uint64_t bits = immediate(value, size);
      if ((k + 1) * (size_t)size > v->bytes.size()) refuse("too many values");
      memcpy(&v->bytes[k++ * (size_t)size], &bits, (size_t)size);
    }
  } else {
    expect(";");
  }
  v->address = ((uint64_t)(module_->variables.size() + 1) << kWindowBits) +
               ((uintptr_t)v->bytes.data() & 255);
  symbols_[v->name] = v->address;
  module_->variables.push_back(std::move(v));
}

// A literal as the bits of `bytes` bytes, 0 for a predicate.
uint64_t Parser::immediate(std::string_view s, int bytes) const {
  s = trim(s);
  const bool negative = !s.empty() && s[0] == '-';
  const std::string_view digits = negative ? s.substr(1) : s;
  if (digits.size() > 2 && digits[0] == '0' &&
      (digits[1] == 'f' || digits[1] == 'F' || digits[1] == 'd' ||
       digits[1] == 'D')) {
    const uint64_t bits =
        strtoull(std::string(digits.substr(2)).c_str(), nullptr, 16);
    return negative ? bits ^ 1ull << (8 * bytes - 1) : bits;
  }
  if (digits.find('.') != digits.npos) {
    const double v = strtod(std::string(s).c_str(), nullptr);
    uint64_t bits = 0;
    if (bytes == 4) {
      const float f = (float)v;
      memcpy(&bits, &f, 4);
    } else {
      memcpy(&bits, &v, 8);
    }
    return bits;
  }
  return (uint64_t)number(s);
}

// --- Modules ---

std::unique_ptr<Module> Parser::parse_module() {
  for (;;) {
    skip_space();
    if (at_ >= text_.size()) break;
    const std::string_view w = word();
    if (w == ".version" || w == ".address_size") {
      word();
    } else if (w == ".target") {
      up_to('\n');
      ++line_;
    } else if (w == ".visible" || w == ".weak" || w == ".extern" ||
               w == ".common") {
      continue;
    } else if (w == ".global" || w == ".const") {
      variable();
    } else if (w == ".shared") {
      const Declaration d = declaration();
      expect(";");
      if (d.bytes) {
        shared_.push_back(d);
      } else {
        dynamic_[d.name] = d.alignment;
      }
    } else if (w == ".entry") {
      kernel();
    } else if (w == ".file") {
      file();
    } else if (w == ".section") {
      up_to('}');
    } else if (w == ".func") {
      refuse("functions that are called are not known: inline them");
    } else {
      refuse("unknown " + std::string(w));
    }
  }
  return std::move(module_);
}

// .file 1 "name.cuh"
void Parser::file() {
  const size_t index = (size_t)number(word());
  expect("\"");
  const std::string_view name = up_to('"');
  auto& files = module_->files;
  files.resize(std::max(files.size(), index + 1));
  files[index] = name.substr(name.rfind('/') + 1);
  at_ = std::min(text_.find('\n', at_), text_.size());
}

std::unique_ptr<Module> parse(std::string text) {
  auto module = std::make_unique<Module>();
  module->text = std::move(text);
  while (!module->text.empty() && !module->text.back()) {
    module->text.pop_back();
  }
  std::string_view rest = module->text;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    module->lines.push_back(rest.substr(0, end));
    rest = end == rest.npos ? "" : rest.substr(end + 1);
  }
  return Parser(std::move(module)).parse_module();
}

}  // namespace ptx_on_cpu
