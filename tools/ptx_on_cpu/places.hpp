// Where the lanes of a warp access memory.
#pragma once

#include "races.hpp"
#include "statement.hpp"

namespace ptx_on_cpu {

// Of lanes whose addresses are in one kind of memory.
struct Places {
  uint32_t lanes;
  bool shared, tracked;  // whether `words` are there
  uint32_t start;        // since when accesses count
  uint64_t address[kLanes];
  char* at[kLanes];
  Word* words[kLanes];
  uint32_t missing[4];  // lanes that read what was not written, by word
};

// Bits of Instruction::variant of all that has an address.
enum AddressBits : uint8_t { kNarrowAddress = 1, kReadOnly = 2 };

// Checks bounds and alignment of `bytes` at the address of each lane. Finds
// the places of some lanes, those of Places::lanes; to be called again for
// the rest.
void find_places(const Warp& w, const Instruction& i, uint32_t lanes,
                 uint32_t bytes, bool writes, Places& places);

template <class F>
void for_places(Warp& w, const Instruction& i, uint32_t lanes, uint32_t bytes,
                bool writes, F f) {
  Places p;
  while (lanes) {
    find_places(w, i, lanes, bytes, writes, p);
    f(p);
    lanes &= ~p.lanes;
  }
}

// Checks for races, and marks what is accessed.
void note_reads(Warp& w, Places& p, uint32_t bytes, Scope scope);
void note_writes(Warp& w, const Places& p, uint32_t bytes, Scope scope);

// What a strong access of a lane does to the order of threads.
void acquire(Warp& w, int lane, char* at, uint8_t order, Scope scope);
void release(Warp& w, int lane, char* at, uint8_t order, Scope scope,
             bool modifies);

// Scope and order that a statement names: of `relaxed` and the like.
void read_order(const Statement& s, Instruction& i, bool strong);
Space space_of(const Statement& s);

}  // namespace ptx_on_cpu
