// Kernels as they are executed: what the parser makes of PTX.
#pragma once

#include <stdint.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ptx_on_cpu {

constexpr int kLanes = 32;
constexpr uint32_t kAll = 0xffffffffu;

struct Warp;
struct Instruction;

// Executes an instruction for some lanes of a warp.
using Execute = void (*)(Warp&, const Instruction&, uint32_t lanes);

// What the loop over instructions has to do with an instruction.
enum class Kind : uint8_t {
  kPlain,
  kBranch,
  kExit,
  kCollective,  // waits for the lanes of a mask
  kBarrier,     // waits for threads of the block
  kPause,       // others go first
};

enum class Space : uint8_t {
  kGeneric,
  kGlobal,
  kShared,
  kLocal,
  kParameter,
};

// Which accesses to a location are ordered with those of other threads.
enum class Scope : uint8_t { kWeak, kBlock, kDevice };

// What an instruction makes of sources that were not written.
enum class Undefined : uint8_t {
  kPassesOn,  // its result is undefined as well
  kSelects,   // if the one that is chosen is
  kAnd,       // unless the other operand decides
  kOr,
  kRefuses,  // an error
};

constexpr uint8_t kAcquire = 1, kRelease = 2;

// Where an operand is: an offset from a warp's registers, or, with the sign
// bit, from the constants.
using At = int32_t;
constexpr At kNone = 0x7fffffff;

// One of 64 bits for a place; others may have the same.
inline uint64_t place_bit(At at) {
  return 1ull << ((uint32_t)at / 64 * 0x9e3779b1u >> 26);
}

struct Instruction {
  Execute execute = nullptr;
  int64_t offset = 0;  // of an address; or the operation of a collective
  At to[4] = {kNone, kNone, kNone, kNone};
  At from[4] = {kNone, kNone, kNone, kNone};
  At guard = kNone;
  int32_t target = -1;  // of a branch
  Kind kind = Kind::kPlain;
  Space space = Space::kGeneric;
  Scope scope = Scope::kWeak;
  uint8_t order = 0;    // kAcquire, kRelease
  uint8_t count = 1;    // elements of a vector
  uint8_t variant = 0;  // of the operation
  bool negated_guard = false;
  bool negated = false;  // a result, or a source
  bool stores = false;   // `to` is read
  Undefined undefined = Undefined::kPassesOn;
  int32_t tracked = 0;   // number of what is tracked there, or 0
  uint64_t touches = 0;  // bits of the places of all operands
};

// Where an instruction comes from, for messages.
struct Origin {
  int line = 0;                          // of the PTX
  int source_file = 0, source_line = 0;  // of the CUDA source, or 0
};

// Registers that are not written on every way to an instruction have a mask of
// the lanes that have written them.
struct Tracked {
  struct Read {
    At mask, at;
    int number;
  };
  std::vector<Read> reads;
  std::vector<At> writes;  // masks
};

// From the first to the last instruction that needs a register.
struct Extent {
  int begin, end;
};

struct Parameter {
  int offset, bytes;
  char kind;  // 'f', 'i' or 'x' for an array of bytes
};

// A register that is set before a thread starts.
struct Special {
  std::string name;
  At at;
};

struct Kernel {
  std::string name;
  std::vector<Parameter> parameters;
  int parameter_bytes = 0;
  int most_threads = 1024;
  int shared_bytes = 0;  // static; dynamic ones follow, aligned
  int dynamic_alignment = 16;
  int local_bytes = 0;
  std::vector<Instruction> code;
  std::vector<Origin> origins;
  std::vector<Tracked> tracked{1};
  std::vector<At> masks;  // of tracked registers, zero at the start
  std::vector<Special> specials;
  std::vector<std::string> register_names;
  std::vector<Extent> extents;              // of registers
  std::vector<std::array<int, 4>> results;  // registers that are written
  size_t register_bytes = 0;                // of a warp
  std::vector<char> constants;              // each for all lanes
};

// A variable of the module, which all its launches share.
struct Variable {
  std::string name;
  uint64_t address = 0;
  std::vector<char> bytes;
};

struct Module {
  std::string text;
  std::vector<std::string_view> lines;
  std::vector<std::string> files;
  std::vector<std::unique_ptr<Variable>> variables;
  std::vector<std::unique_ptr<Kernel>> kernels;
};

// Raises std::runtime_error with the line for what is not understood.
std::unique_ptr<Module> parse(std::string text);

}  // namespace ptx_on_cpu
