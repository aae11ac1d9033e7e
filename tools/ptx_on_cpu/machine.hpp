// The state of a launch: blocks, warps, and groups of lanes.
#pragma once

#include <array>
#include <random>
#include <stdexcept>

#include "clocks.hpp"
#include "program.hpp"

namespace ptx_on_cpu {

enum class Error {
  kNone,
  kLaunch,
  kRace,
  kOutOfBounds,
  kMisaligned,
  kDivergence,
  kDeadlock,
  kUninitialized,
};

struct Fault : std::runtime_error {
  Fault(Error error, const std::string& what)
      : std::runtime_error(what), error(error) {}
  Error error;
};

// --- Memory ---

// Addresses have the number of a window in their upper bits, so that what
// runs over the end of an array does not come into another one.
constexpr int kWindowBits = 36;
constexpr uint64_t kSharedWindow = 1ull << 60, kLocalWindow = 2ull << 60;

struct Window {
  uint64_t low, size;  // addresses
  uintptr_t host;      // of low
  Word* words;         // what is known of the word of low; null: nothing
  int argument;        // -1: a variable of the module
  std::string name;
};

// --- Threads ---

enum class State : uint8_t { kReady, kCollective, kBarrier };

// Lanes that are at the same instruction.
struct Group {
  uint32_t lanes;
  int32_t at;
  uint32_t mask;    // the lanes waited for, or the number of the barrier
  uint32_t family;  // groups of different families stay apart until they meet
  State state;
};

struct Block;
struct Machine;

// An asynchronous copy into shared memory that is under way.
struct Copy {
  uint32_t lane, group, bytes, source_bytes;
  uint64_t to, from;
};

// Lanes whose register holds what was never written.
struct Poison {
  At at;
  int number;  // of the register
  int origin;  // the instruction that has read it, from shared memory; or
               // -1: the register was not written
  uint32_t lanes;
};

struct Warp {
  char* registers;
  const char* constants;
  Machine* machine;
  Block* block;
  uint32_t number;  // among all warps of the grid
  uint32_t exists, done;
  size_t ready;  // where in the list of warps that can run, or kNotReady
  std::array<Group, kLanes> groups;
  int count;
  uint32_t families;
  int current;  // the instruction being executed, for messages
  Knowledge knowledge;
  std::vector<char> local;
  std::vector<Poison> poison;
  uint64_t poisoned;  // bits of the places of `poison`, as place_bit has them
  std::vector<Copy> copies;
  std::array<uint32_t, kLanes> committed;  // groups of copies
  std::vector<char> storage;

  template <class T>
  const T* in(At at) const {
    return (const T*)((at < 0 ? constants : registers) + (at & 0x7fffffff));
  }
  template <class T>
  T* out(At at) {
    return (T*)(registers + at);
  }
};

constexpr size_t kNotReady = SIZE_MAX;
constexpr int kBarriers = 16;

struct Barrier {
  uint32_t arrived = 0, expected = 0;  // threads
  ClockPtr clock;                      // of those that do not wait
};

struct Block {
  uint32_t id;
  uint32_t first_warp;  // among all warps of the grid
  uint32_t start;       // when it started
  uint32_t barrier;     // when all its threads last met
  uint32_t done;        // threads
  bool news;            // whether a warp knows more than the others
  std::vector<Warp> warps;
  std::array<Barrier, kBarriers> barriers;
  std::vector<char> shared;
  std::vector<Word> words;  // what is known of shared memory
};

struct Options {
  uint32_t blocks, threads;
  uint32_t resident;  // blocks at a time
  uint32_t races;     // whether to look for them
  uint32_t perturb;   // whether approximate functions err at random
  uint32_t dynamic_bytes;
  uint64_t seed;
};

struct Argument {
  uint64_t host, size;
  const char* name;
};

struct Machine {
  Machine(const Module& module, const Kernel& kernel, const Options& options);

  // `parameters` hold addresses of the host; those of `pointers` (offsets)
  // are replaced.
  void bind(const Argument* arguments, int count, char* parameters,
            const int64_t* pointers, int pointer_count);
  void run();

  uint32_t random() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
  }

  const Module& module;
  const Kernel& kernel;
  Options options;
  uint64_t state;  // of random()
  std::vector<Window> windows;
  std::vector<char> parameters;
  uint32_t warps_per_block;
  std::vector<std::unique_ptr<Block>> blocks;  // resident ones
  std::vector<Warp*> ready;
  Memory& memory;

  // Loads that look whether another thread has written something, since
  // anything has happened.
  uint64_t looks = 0;
  struct {
    const Warp* warp;
    int lane, instruction;
    uint64_t address;
  } looking{};
  uint64_t executed = 0;

 private:
  void start(Block& block, uint32_t id);
  [[noreturn]] void explain_standstill();
};

// --- Whose turn it is (scheduler.cpp) ---

void set_ready(Warp& w);
void clear_ready(Warp& w);
// Makes groups one that are ready, of one family and at one place.
void merge(Warp& w);
// A group arrives at a collective instruction or a barrier.
void arrive(Warp& w, Group& g, const Instruction& i);
void arrive_at_barrier(Warp& w, Group& g, const Instruction& i);
void leave(Warp& w, uint32_t lanes);

// --- What was never written (poison.cpp) ---

void add_poison(Warp& w, At at, int number, int origin, uint32_t lanes);
// What becomes of it by the instruction at `at`, for the `active` of `lanes`.
void pass_on_poison(Warp& w, int at, uint32_t lanes, uint32_t active);
// Forgets what no group needs any more.
void forget_poison(Warp& w);

// --- Errors (errors.cpp) ---

[[noreturn]] __attribute__((format(printf, 4, 5))) void fail(
    const Warp& w, int lane, Error error, const char* format, ...);
std::string line_of(const Machine& m, int at);
std::string place_of(const Warp& w, uint64_t address, int bytes);

inline int first(uint32_t lanes) { return __builtin_ctz(lanes); }

}  // namespace ptx_on_cpu
