// The arguments of all kernels, one struct by value.
#pragma once

#include "layout.cuh"

namespace {

// As ARGUMENTS in _arguments.py, which lists the same names in the same order.
struct Arguments {
  Global<const In> x, y;                    // series, or x cost matrices
  Global<const int> x_length, y_length;     // lengths of the pairs, or null
  Global<const int2> band;                  // columns of each row, or null
  Global<const In> direction;               // of the costs, for tangents
  Global<double> cost_bounds;               // kBounds of each pair
  Global<int> noted;                        // of each pair, see Turn
  Global<int> counts;                       // see Count
  Global<double> result, result_tangent;    // of each pair
  Global<In> value, tangent;                // the same in the arrays' type
  Global<const In> grad, grad_tangent;      // of each pair; null for 1 and 0
  Global<In> gx, gy;                        // gradients; gx that of the cost
  Global<In> alignment;                     // with tangents: times grad
  Global<char> edges, states, slab_edges;   // the tape, see tape.cuh
  Global<char> masses, slab_masses;         // of the adjoint, see tape.cuh
  Global<char> cells;                       // see cells.cuh
  Global<int> live;                         // of each segment, see cells.cuh
  Global<int> ticket;                       // strips drawn, from 0
  double rate;                              // 1 / (gamma ln 2), or 0
  double forbidden;                         // the cost that stands for +inf
  long long strip_states;                   // entries of a strip in states
  long long pair_edges, pair_states;        // bytes of each pair on the tape,
  long long pair_slab_edges;                // at least what tape.cuh says
  long long pair_masses, pair_slab_masses;  // the same of the adjoint
  long long direction_stride;               // between pairs, or 0
  int m, n, d;                              // longest lengths, features
  int band_rows;                            // of each pair, 0 if all have one
  int pair_begin, pairs;                    // the pairs to sweep
  int strip_begin, strip_end;               // the strips to sweep
  int turn;                                 // Turn of this launch
  int segments;                             // of a strip that memory is for
  int slab_strips;                          // most strips of a launch
};
static_assert(sizeof(Arguments) == SDTW_ARGUMENT_BYTES, "as in Python");

// Numbers of cost_bounds for each pair. In the order in which they stand
// there: a bound on the absolute values of finite costs, the lowest cost
// negated or 0 (both by the survey), and the largest cost that occurs (by the
// kernel of cells in float).
constexpr int kBounds = 3;

// How many pairs are left to float64, and how many have been noted.
enum Count { kWidePairs, kNotedPairs };

}  // namespace
