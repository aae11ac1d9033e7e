// The arguments of a sweep.
#pragma once

#include "layout.cuh"

// In the order of SweepArguments in _launch.py:
//   x, y              series, or x cost matrices
//   x_length, y_length  lengths of the pairs, or null
//   cost_bounds       two numbers for each pair, see survey.cuh
//   noted             whether each pair has been noted, see Turn
//   turn              Turn of this launch
//   batch, m, n, d    pairs, longest lengths, features
//   rate              1 / (gamma ln 2), or 0 for gamma = 0
//   forbidden         the cost that stands for +inf
//   band              columns [begin, end) of each row, or null
//   band_rows         rows of it per pair, or 0 if all pairs have the same
//   tape              the tape, with
//   pair_bytes          bytes per pair,
//   edge, states        entries of an edge and of the states of a strip,
//   slab_strips, slabs  strips per slab and number of slabs,
//   fine_slab           the slab that has a fine tape, or -1
//   strip_begin, strip_end  the strips to sweep
//   progress          the number of strips drawn, then the segments done of
//                     each strip and pair, and of its gradient
//   direction         directions of the costs, for tangents
//   direction_stride  how far apart those of two pairs are, or 0
#define SDTW_ARGUMENTS(ARGUMENT)              \
  ARGUMENT(Global<const In>, x)               \
  ARGUMENT(Global<const In>, y)               \
  ARGUMENT(Global<const int>, x_length)       \
  ARGUMENT(Global<const int>, y_length)       \
  ARGUMENT(Global<const double>, cost_bounds) \
  ARGUMENT(Global<int>, noted)                \
  ARGUMENT(int, turn)                         \
  ARGUMENT(int, batch)                        \
  ARGUMENT(int, m)                            \
  ARGUMENT(int, n)                            \
  ARGUMENT(int, d)                            \
  ARGUMENT(double, rate)                      \
  ARGUMENT(double, forbidden)                 \
  ARGUMENT(Global<const int2>, band)          \
  ARGUMENT(int, band_rows)                    \
  ARGUMENT(Global<Packed>, tape)              \
  ARGUMENT(long long, pair_bytes)             \
  ARGUMENT(int, edge)                         \
  ARGUMENT(long long, states)                 \
  ARGUMENT(int, slab_strips)                  \
  ARGUMENT(int, slabs)                        \
  ARGUMENT(int, fine_slab)                    \
  ARGUMENT(int, strip_begin)                  \
  ARGUMENT(int, strip_end)                    \
  ARGUMENT(Global<int>, progress)             \
  ARGUMENT(Global<const In>, direction)       \
  ARGUMENT(long long, direction_stride)

#define SDTW_FIELD(type, name) type name;
#define SDTW_PARAMETER(type, name) type name,
#define SDTW_NAME(type, name) name,

namespace {

struct Arguments {
  SDTW_ARGUMENTS(SDTW_FIELD)
};

}  // namespace
