// What a launch begins with: arrays, parameters and variables.
#include "machine.hpp"

#include <string.h>

#include <algorithm>

namespace ptx_on_cpu {

namespace {

// A launch at a time for each thread of the host.
thread_local Memory memory_of_thread;

}  // namespace

Machine::Machine(const Module& module, const Kernel& kernel,
                 const Options& options)
    : module(module),
      kernel(kernel),
      options(options),
      state(options.seed),
      parameters((size_t)kernel.parameter_bytes),
      warps_per_block((options.threads + kLanes - 1) / kLanes),
      memory(memory_of_thread) {
  memory.begin_launch();
}

void Machine::bind(const Argument* arguments, int count, char* given,
                   const int64_t* pointers, int pointer_count) {
  for (const auto& variable : module.variables) {
    windows.push_back({0, variable->bytes.size(),
                       (uintptr_t)variable->bytes.data(), nullptr, -1,
                       variable->name});
  }
  for (int k = 0; k < count; ++k) {
    windows.push_back({0, arguments[k].size, arguments[k].host, nullptr, k,
                       arguments[k].name ? arguments[k].name : ""});
  }
  for (size_t k = 0; k < windows.size(); ++k) {
    windows[k].low =
        ((uint64_t)(k + 1) << kWindowBits) + (windows[k].host & 255);
  }
  // Arrays that overlap share what is known of their words.
  std::vector<size_t> order(windows.size());
  for (size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return windows[a].host < windows[b].host;
  });
  std::vector<size_t> offsets(windows.size());
  size_t words = 0, first = 0;
  uintptr_t low = 0, high = 0;
  for (const size_t k : order) {
    const Window& w = windows[k];
    if (w.host / 4 * 4 >= high) {
      low = w.host / 4 * 4;
      high = low;
      first = words;
    }
    high = std::max(high, (w.host + w.size + 3) / 4 * 4);
    offsets[k] = first + (w.host - low) / 4;
    words = first + (high - low) / 4;
  }
  if (options.races && words > memory.words.size()) {
    memory.words = std::vector<Word>(words + words / 2);
  }
  for (size_t k = 0; k < windows.size(); ++k) {
    windows[k].words =
        options.races ? memory.words.data() + offsets[k] : nullptr;
  }
  memcpy(parameters.data(), given, parameters.size());
  for (int k = 0; k < pointer_count; ++k) {
    uint64_t value;
    char* at = parameters.data() + pointers[2 * k];
    memcpy(&value, at, sizeof value);
    const Window& w =
        windows[module.variables.size() + (size_t)pointers[2 * k + 1]];
    value = w.low + (value - w.host);
    memcpy(at, &value, sizeof value);
  }
}

}  // namespace ptx_on_cpu
