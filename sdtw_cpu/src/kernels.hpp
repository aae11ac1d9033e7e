// What the plan of a batch (batch.cpp, built once) and the sweeps
// (kernels.cpp, built once per instruction set) know of each other. Plain data
// only.
//
// The table of one pair is cut into strips of rows, and a strip is swept in
// steps. Lanes of a vector are either rows of one pair ("along") or different
// pairs ("across" the batch). Along, row r of a strip is at column t - r at
// step t, so that a step touches an anti-diagonal, whose cells are
// independent. Across, a step is a column, from its first row to its last.
// With a band, a strip only has the steps at which one of its rows has cells.
//
// Strips that follow each other make up a block, and the steps of a block are
// cut into segments: the tape keeps what passes from one block or segment to
// the next, and one segment of a block is swept at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "costs.hpp"

namespace sdtw {

constexpr int kMaxLanes = 16;  // float32 lanes of AVX-512
constexpr int kKept = 4;       // numbers that a cell keeps for the way back

// Along what the tangent sweeps differentiate: explicit changes of the costs,
// the costs themselves, or changes of the series. With kNone there are no
// tangents.
enum class Direction { kNone, kExplicit, kCost, kSeries };

// Numbers per vector, rows per strip, steps by which the last row of a strip
// lags behind the first, and numbers per entry of a strip's edge.
struct Geometry {
  int lanes, rows, lag, entry;

  // The step, less the column, of a row.
  int lag_of(int row) const { return lag ? row % rows : 0; }
};

// What a sweep adds up with: soft minima, as sums of weights 2**(-c * rate)
// whose exponents have bounds; for gamma == 0 hard minima of costs; or soft
// minima of costs, for pairs whose values are out of these bounds.
enum class Semiring { kSoft, kHard, kLogSpace };

// Constants of one gamma in one format.
struct Scale {
  Semiring semiring = Semiring::kSoft;
  double rate = 0;         // 1 / (gamma ln 2)
  double weight_rate = 0;  // the same for weights, see kFlattest
  double forbidden = 0;    // cost of a forbidden cell: a power of two above
                           // every sum that matters; of costs: +inf
  double floor = 0;        // exponents never fall below
  double infeasible = 0;   // exponents below mean that no path exists
  double curvature = 0;    // -1 / gamma; hard: 0
};

// Steps or columns, `end` excluded.
struct Span {
  int begin, end;
};

// An edge between two strips, one entry per column: mantissas, exponents and
// tangents.
template <class T>
struct Edge {
  T* m;
  T* e;
  T* t;
};

// Pairs that are swept together.
//
// Across the batch, pair l occupies the last rows and columns of the m x n
// table, from row row0[l] and column col0[l] >= row0[l] on. The cells before
// are padding: cost 0 where row - row0 == column - col0, else forbidden, so
// that the only way in is the diagonal which leads to the pair's first cell.
template <class T>
struct Group {
  int m, n, d;  // rows and columns of the table, features
  int pairs;    // lanes in use across the batch, else 1
  bool across;
  bool capped;  // some pair is smaller than the table, or has cells that
                // cost more than a forbidden one
  int block;    // strips of a block
  int width;    // steps of a segment
  int state;    // numbers of a state's plane
  int row0[kMaxLanes], col0[kMaxLanes];
  const Span* steps;   // of each strip
  const Span* blocks;  // steps of each block: all of its strips'
  // The steps from which on and before which the rows of all strips have
  // cells in the band, an entry per row; null without a band.
  const int* band_begin;
  const int* band_end;
  Scale scale;
  double value[kMaxLanes];    // out
  double tangent[kMaxLanes];  // out
  T last[kMaxLanes];  // what the last cells' masses are divided by on the way
                      // back, as Adjoint has it

  CostKind cost;
  bool is_double;  // explicit costs, directions and alignments
  // Where `capped`, differences are cut here, so that no cost and no exponent
  // overflows. Costs above the limit are those of padding or forbid a cell.
  double cut, limit;
  Direction direction;
  // Explicit costs and alignments: first elements, strides in bytes.
  const char* c[kMaxLanes];
  char* e[kMaxLanes];
  ptrdiff_t c_row, c_col, e_row, e_col;
  double grad[kMaxLanes];  // factor on e
  // The direction, as c; and the mass and its tangent in a pair's last cell.
  const char* z[kMaxLanes];
  ptrdiff_t z_row, z_col;
  T mass[kMaxLanes], mass_tangent[kMaxLanes];

  // Series. x has a strip after the other, each feature by feature, with an
  // entry per row; an entry is one number, across one number per lane. y and
  // gy point to their first columns and have margins of a strip's rows on both
  // sides. Along they are kept feature by feature, by column in reversed
  // order; across column by column, and feature by feature in each.
  const T* x;
  const T* y;
  const T* dx;  // the direction, packed as x and y
  const T* dy;
  T* gx;                        // out, or null: sum of E (x - y) over columns
  T* gy;                        // out, or null: sum of E (y - x) over rows
  ptrdiff_t y_step, y_feature;  // to the next column and feature of y

  Edge<T> top;   // above the first strip
  T* mass_edge;  // mass handed from a strip to the one above, by column
  T* mass_edge_tangent;
};

// Scratch memory of one thread, in numbers of T.
template <class T>
struct Scratch {
  T* fraction;  // a strip's weights in a segment, later its alignment
  T* exponent;
  T* kept;       // what cells keep, for a segment and every strip of a block
  bool* shared;  // of each tile, whether its cells share an exponent
  Edge<T> edge;  // between the strips of a block
  // For the tangent sweeps: a strip's direction in a segment, later its
  // alignment's tangent; and the tangents of the shares.
  T* direction;
  T* share_tangents;
  T* factor;  // of each cell's gradient, where costs are roots of sums
};

template <class T>
struct Sweeps {
  Geometry along, across;
  // Fill an edge (and its margins) with the values above the first row.
  void (*begin)(const Group<T>&, Edge<T>);
  // Value sweep of one segment of a block, from the edge above to that below
  // and from the state before to that after, which may be the same.
  void (*value)(Group<T>&, const Scratch<T>&, int block, int segment,
                Edge<T> in, Edge<T> out, const T* state_in, T* state_out);
  // Recompute one segment of a block, whose edge above and state before are
  // given, and sweep it back; but not the cells into which no mass comes that
  // could show. `mass` is the block's state on the way back. Returns how many
  // cells were swept back.
  ptrdiff_t (*adjoint)(Group<T>&, const Scratch<T>&, int block, int segment,
                       Edge<T> in, const T* state_in, T* mass);
};

struct Level {
  const char* name;
  Sweeps<float> f32;
  Sweeps<double> f64;
};

}  // namespace sdtw
