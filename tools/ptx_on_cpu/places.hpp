// Where the lanes of a warp access memory.
#pragma once

#include "races.hpp"
#include "statement.hpp"

namespace ptx_on_cpu {

// Of lanes that access one array, or shared memory, or their local memory.
struct Places {
  uint32_t lanes;
  bool shared, tracked;  // whether `words` are there
  uint32_t start;        // since when accesses count
  uint64_t address[kLanes];
  uintptr_t host;       // of address 0
  size_t stride;        // from lane to lane
  Word* words;          // that of `low`
  uint64_t low;         // a multiple of 4
  uint32_t missing[4];  // lanes that read what was not written, by word

  char* at(int lane) const {
    return (char*)(host + address[lane] + stride * (size_t)lane);
  }
  Word& word(int lane) const { return words[(address[lane] - low) / 4]; }
  // As messages have it.
  uint64_t full(int lane) const {
    return address[lane] + (shared ? kSharedWindow : 0);
  }
};

// Bits of Instruction::variant of all that has an address.
enum AddressBits : uint8_t { kNarrowAddress = 1, kReadOnly = 2 };

void compute_addresses(const Warp& w, const Instruction& i, Places& places);

// Checks bounds and alignment of `bytes` at the address of each lane. Finds
// the places of some lanes, those of Places::lanes.
void find_places(const Warp& w, Space space, uint32_t lanes, uint32_t bytes,
                 bool writes, Places& places);

template <class F>
void for_places(Warp& w, const Instruction& i, uint32_t lanes, uint32_t bytes,
                bool writes, F f) {
  Places p;
  do {
    compute_addresses(w, i, p);
    find_places(w, i.space, lanes, bytes, writes, p);
    f(p);
    lanes &= ~p.lanes;
  } while (lanes);
}

// Checks for races, and marks what is accessed.
void note_reads(Warp& w, Places& p, uint32_t bytes, Scope scope);
void note_writes(Warp& w, const Places& p, uint32_t bytes, Scope scope);

// --- Strong accesses (strong.cpp) ---

// To be called before a store to a location of up to eight bytes.
void begin_store(Warp& w, const Places& p, int lane, uint32_t bytes);
// And after it: what others may learn from the value. What an atomic operation
// `modifies` still tells of the release before it.
void end_store(Warp& w, const Places& p, int lane, uint32_t bytes,
               const Instruction& i, bool modifies);
// What a load of the value tells. Returns the store that is seen, the latest
// one if asked for, or null if there was none.
const Store* observe(Warp& w, const Places& p, int lane, const Instruction& i,
                     bool latest);

// Scope and order that a statement names: of `relaxed` and the like.
void read_order(const Statement& s, Instruction& i, bool strong);
Space space_of(const Statement& s);

}  // namespace ptx_on_cpu
