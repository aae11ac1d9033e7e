// The functions that Python calls.
#include <stdio.h>
#include <string.h>

#include "machine.hpp"

namespace {

using namespace ptx_on_cpu;

thread_local std::string message;

const Kernel& kernel_of(const Module* m, int index) {
  return *m->kernels[(size_t)index];
}

}  // namespace

#define PTX_ON_CPU_EXPORT extern "C" __attribute__((visibility("default")))

// Null for a text that is not understood.
PTX_ON_CPU_EXPORT void* ptx_on_cpu_load(const char* text, size_t size) {
  try {
    return parse(std::string(text, size)).release();
  } catch (const std::runtime_error& e) {
    message = e.what();
    return nullptr;
  }
}

PTX_ON_CPU_EXPORT void ptx_on_cpu_unload(void* module) {
  delete (Module*)module;
}

PTX_ON_CPU_EXPORT const char* ptx_on_cpu_message() { return message.c_str(); }

PTX_ON_CPU_EXPORT const char* ptx_on_cpu_name(void* module, int index) {
  const auto& kernels = ((Module*)module)->kernels;
  return (size_t)index < kernels.size() ? kernels[(size_t)index]->name.c_str()
                                        : nullptr;
}

// Threads of a block at most, bytes of static shared memory, and the offset,
// size and kind of each parameter.
PTX_ON_CPU_EXPORT const char* ptx_on_cpu_describe(void* module, int index) {
  const Kernel& k = kernel_of((Module*)module, index);
  message =
      std::to_string(k.most_threads) + " " + std::to_string(k.shared_bytes);
  for (const Parameter& p : k.parameters) {
    message += " " + std::to_string(p.offset) + ":" + std::to_string(p.bytes) +
               ":" + p.kind;
  }
  return message.c_str();
}

PTX_ON_CPU_EXPORT int ptx_on_cpu_launch(
    void* module, int index, const Options* options, const Argument* arguments,
    int count, char* parameters, const int64_t* pointers, int pointer_count,
    uint64_t* executed) {
  const Module& m = *(Module*)module;
  Machine machine(m, kernel_of(&m, index), *options);
  try {
    machine.bind(arguments, count, parameters, pointers, pointer_count);
    machine.run();
    *executed = machine.executed;
    return (int)Error::kNone;
  } catch (const Fault& fault) {
    message = fault.what();
    return (int)fault.error;
  }
}
