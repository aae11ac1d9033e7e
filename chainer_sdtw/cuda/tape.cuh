// Where the tape is, and what strips hand to each other.
//
// A launch sweeps the strips of a slab. Of these the tape has the edge below
// each (`edges`), what its last row has at each of its steps, and the state
// of each at the start of every segment but its first (`states`, null if
// no adjoint sweep follows). Below the last strip of a slab, the edge is a row
// of `slab_edges`, which has one for each slab. In the adjoint sweep a strip
// hands masses to the row above it: `masses` has those of each step, a row for
// each strip of the launch; that of the first is `slab_masses`, where the next
// launch, of the slab above, finds it.
//
// Strips follow each other without flags: the words of an entry are zeros
// until they are written, and a strip reads them again until none is zero.
// What a word says is all that another strip needs, so nothing else has to be
// in order.
#pragma once

#include "strip.cuh"

namespace {

constexpr int kState = 2 * kRows;  // entries of a state
constexpr int kStateWords = kState * kEdgeWords;

// A row of a pair's memory, of so many words.
SDTW_DEVICE Global<Word> row_of(Global<char> memory, long long pair_bytes,
                                int b, long long row, long long words) {
  return cast<Word>(memory + pair_bytes * b) + row * words;
}

// The edge below a strip, or below the slab above.
SDTW_DEVICE Global<Word> edge_below(const Arguments& args, const Strip& s,
                                    int index) {
  const long long words = (long long)args.segments * kSteps * kEdgeWords;
  if (index + 1 == args.strip_end || index < args.strip_begin)
    return row_of(args.slab_edges, args.pair_slab_edges, s.b - args.pair_begin,
                  index / args.slab_strips, words);
  return row_of(args.edges, args.pair_edges, s.b - args.pair_begin,
                index - args.strip_begin, words);
}

// What a strip hands back to the strip above, or has been by the slab below.
SDTW_DEVICE Global<Word> masses_above(const Arguments& args, const Strip& s,
                                      int index) {
  const long long words =
      (long long)args.segments * kSteps * MassWords::kCount;
  if (index == args.strip_begin || index == args.strip_end)
    return row_of(args.slab_masses, args.pair_slab_masses,
                  s.b - args.pair_begin, 0, words);
  return row_of(args.masses, args.pair_masses, s.b - args.pair_begin,
                index - args.strip_begin, words);
}

// The state of a strip at the start of a segment, not its first one.
SDTW_DEVICE Global<Word> state_of(const Arguments& args, const Strip& s,
                                  int q) {
  const Global<Word> states =
      row_of(args.states, args.pair_states, s.b - args.pair_begin,
             s.index - args.strip_begin, args.strip_states * kEdgeWords);
  return states + (long long)(q - s.first_segment - 1) * kStateWords;
}

}  // namespace
