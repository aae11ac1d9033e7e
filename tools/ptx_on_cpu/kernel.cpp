// The text of a kernel: its parameters, declarations and statements.
#include "parser.hpp"

namespace ptx_on_cpu {

namespace {

int aligned(int value, int to) { return (value + to - 1) / to * to; }

}  // namespace

void Parser::parameters() {
  Kernel& k = *kernel_;
  for (;;) {
    const std::string_view w = word();
    if (w == ")") return;
    if (w == ",") continue;
    if (w != ".param") refuse("expected .param, got " + std::string(w));
    const Declaration d = declaration();
    const int offset = aligned(k.parameter_bytes, d.alignment);
    const char kind = d.array ? 'x' : is_float(d.type) ? 'f' : 'i';
    k.parameters.push_back({offset, d.bytes, kind});
    k.parameter_bytes = offset + d.bytes;
    locals_[std::string(d.name)] = (uint64_t)offset;
  }
}

void Parser::kernel() {
  module_->kernels.push_back(std::make_unique<Kernel>());
  kernel_ = module_->kernels.back().get();
  kernel_->name = word();
  scopes_.clear();
  widths_.clear();
  constants_.clear();
  locals_.clear();
  origin_ = {};
  if (peek() == "(") {
    word();
    parameters();
  }
  for (;;) {
    const std::string_view w = word();
    if (w == "{") break;
    if (w == ".maxntid" || w == ".reqntid") {
      int threads = (int)number(word());
      while (peek() == ",") {
        word();
        threads *= (int)number(word());
      }
      kernel_->most_threads = threads;
    } else if (w == ".minnctapersm" || w == ".maxnreg") {
      word();
    } else {
      refuse("unknown " + std::string(w));
    }
  }
  for (const Declaration& d : shared_) {
    const int offset = aligned(kernel_->shared_bytes, d.alignment);
    locals_[std::string(d.name)] = (uint64_t)offset;
    kernel_->shared_bytes = offset + d.bytes;
  }
  scopes_.emplace_back();
  body();
  kernel_->code.emplace_back();  // for kernels that end without ret
  kernel_->code.back().kind = Kind::kExit;
  kernel_->origins.push_back(origin_);
  allocate();
}

void Parser::body() {
  for (;;) {
    skip_space();
    const int line = line_;
    const size_t begin = at_;
    const std::string_view w = word();
    if (w.empty()) refuse("a kernel without an end");
    if (w == "{") {
      scopes_.emplace_back();
    } else if (w == "}") {
      close_scope();
      if (scopes_.empty()) return;
    } else if (w == ".reg") {
      registers();
    } else if (w == ".shared" || w == ".local") {
      const Declaration d = declaration();
      expect(";");
      int& bytes =
          w == ".shared" ? kernel_->shared_bytes : kernel_->local_bytes;
      const int offset = aligned(bytes, d.alignment);
      locals_[std::string(d.name)] = (uint64_t)offset;
      bytes = offset + d.bytes;
    } else if (w == ".loc") {
      origin_.source_file = (int)number(word());
      origin_.source_line = (int)number(word());
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (w == ".pragma") {
      up_to(';');
    } else if (w[0] == '.') {
      refuse("unknown " + std::string(w));
    } else if (peek() == ":") {
      word();
      scopes_.back().labels[w] = (int)kernel_->code.size();
    } else if (w != ";") {
      at_ = begin;
      line_ = line;
      instruction(up_to(';'), line);
    }
  }
}

// .reg .b32 %r<154>, %s;
void Parser::registers() {
  const std::string_view type = word();
  const int bytes = bytes_of(type_of(type.substr(1)));
  for (const std::string_view name : split(up_to(';'), ',')) {
    const size_t bracket = name.find('<');
    if (bracket == name.npos) {
      scopes_.back().registers[name] = add_register(std::string(name), bytes);
      continue;
    }
    const std::string_view stem = name.substr(0, bracket);
    const int count =
        (int)number(name.substr(bracket + 1, name.find('>') - bracket - 1));
    scopes_.back().ranges[stem] = {(int)widths_.size(), count};
    for (int k = 0; k < count; ++k) {
      add_register(std::string(stem) + std::to_string(k), bytes);
    }
  }
}

int Parser::add_register(std::string name, int bytes) {
  kernel_->register_names.push_back(std::move(name));
  widths_.push_back(bytes);
  return (int)widths_.size() - 1;
}

// Branches to labels that are not here are for the scope around it.
void Parser::close_scope() {
  const Scope scope = std::move(scopes_.back());
  scopes_.pop_back();
  for (const auto& [at, label] : scope.branches) {
    const auto found = scope.labels.find(label);
    if (found != scope.labels.end()) {
      kernel_->code[at].target = found->second;
    } else if (scopes_.empty()) {
      refuse("no label " + std::string(label));
    } else {
      scopes_.back().branches.emplace_back(at, label);
    }
  }
}

}  // namespace ptx_on_cpu
