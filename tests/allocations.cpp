// Preloaded into Python: lets allocations fail while it is armed, and tells
// what of those that succeeded meanwhile has not been freed.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <atomic>
#include <new>

namespace {

enum Kind { kNew = 1, kArrays = 2, kThreads = 4 };

std::atomic<int> kinds{0};  // that are counted
std::atomic<long> count{0}, failed{0};
long first = 0, last = 0;  // of those that fail, and the one after them

constexpr int kMost = 1 << 14;
void* blocks[kMost];  // that were allocated while armed
std::atomic<int> live{0};
std::atomic_flag held = ATOMIC_FLAG_INIT;

struct Hold {
  Hold() {
    while (held.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~Hold() { held.clear(std::memory_order_release); }
};

bool fails(Kind kind) {
  if (!(kinds & kind)) return false;
  const long i = count++;
  if (i < first || i >= last) return false;
  ++failed;
  return true;
}

void* note(Kind kind, void* memory) {
  if (!(kinds & kind) || !memory) return memory;
  Hold hold;
  if (live == kMost) abort();
  return blocks[live++] = memory;
}

void forget(void* memory) {
  if (!live || !memory) return;
  Hold hold;
  for (int i = 0; i < live; ++i) {
    if (blocks[i] != memory) continue;
    blocks[i] = blocks[--live];
    return;
  }
}

void release(void* memory) {
  forget(memory);
  free(memory);
}

void* allocate(size_t bytes, size_t alignment) {
  void* memory = nullptr;
  if (fails(kNew) || posix_memalign(&memory, alignment, bytes ? bytes : 1))
    throw std::bad_alloc();
  return note(kNew, memory);
}

void* array_malloc(void*, size_t bytes) {
  return fails(kArrays) ? nullptr : note(kArrays, malloc(bytes));
}

void* array_calloc(void*, size_t n, size_t bytes) {
  return fails(kArrays) ? nullptr : note(kArrays, calloc(n, bytes));
}

void* array_realloc(void*, void* memory, size_t bytes) {
  if (fails(kArrays)) return nullptr;
  forget(memory);
  return note(kArrays, realloc(memory, bytes));
}

void array_free(void*, void* memory, size_t) { release(memory); }

}  // namespace

// What the script calls.
extern "C" {
// Count allocations of these kinds from 0 and let those in a range fail.
void arm(int which, long from, long to) {
  first = from;
  last = to;
  count = failed = 0;
  kinds = which;
}

// Return how many failed.
long disarm() {
  kinds = 0;
  return failed;
}

// How many that were allocated while armed have not been freed.
int leaked() { return live; }

// NumPy's PyDataMem_Handler.
struct {
  char name[127];
  unsigned char version;
  void* context;
  void* (*malloc)(void*, size_t);
  void* (*calloc)(void*, size_t, size_t);
  void* (*realloc)(void*, void*, size_t);
  void (*free)(void*, void*, size_t);
} array_memory = {
    "allocations", 1,         nullptr, array_malloc, array_calloc,
    array_realloc, array_free};

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                   void* (*run)(void*), void* argument) {
  static const auto create = reinterpret_cast<decltype(&pthread_create)>(
      dlsym(RTLD_NEXT, "pthread_create"));
  if (fails(kThreads)) return EAGAIN;
  return create(thread, attributes, run, argument);
}
}

// All others end in these.
void* operator new(size_t bytes) { return allocate(bytes, 16); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
