// The gradients of cost matrices: the alignment, and its tangent.
#pragma once

#include "alignment.cuh"

namespace {

constexpr int kPlanes = kDual ? 2 : 1;  // of the alignment and its tangent

// A warp writes a row of a tile.
SDTW_DEVICE void write_tile(const Arguments& args, const Strip& s, int first,
                            Outcome outcome, Shared<const In> memory) {
  const bool sums = outcome == Outcome::kSums;
  const In grad = !sums ? In(0) : args.grad ? args.grad[s.b] : In(1);
  const In grad_tangent =
      kDual && sums && args.grad_tangent ? args.grad_tangent[s.b] : In(0);
  const int column = threadIdx.x % kSteps;
  const int j = first + column;
  SDTW_UNROLL_BY(2)
  for (int r = threadIdx.x / kSteps; r < kRows; r += kTileThreads / kSteps) {
    const int i = s.row + r;
    if (i >= args.m || j < 0 || j >= args.n) continue;
    const long long from = (long long)i * args.n + j;
    const long long to = (long long)s.b * args.m * args.n + from;
    In e = 0, tangent = 0;
    bool used = i < s.m && j < s.n;
    if (sums && used) {
      if (args.band) {
        const int2 columns = band_of(args, s, i);
        used = j >= columns.x && j < columns.y;
      }
      used = used && s.x[from] < infinity<In>();
      if (used) e = memory[r * kTileStride + column];
      if (kDual && used)
        tangent = memory[kTileNumbers + r * kTileStride + column];
    }
    const bool nan = outcome == Outcome::kNans && used;
    const In cost_gradient =
        kDual ? fused(grad, tangent, product(grad_tangent, e)) : grad * e;
    args.gx[to] = nan ? not_a_number<In>() : cost_gradient;
    if (kDual && args.alignment)
      args.alignment[to] = nan ? not_a_number<In>() : grad * e;
  }
}

SDTW_DEVICE void matrix_gradients(const Arguments& args, Shared<char> memory) {
  const Shared<In> numbers = take<In>(memory, kPlanes * kTileNumbers);
  const int tiles = (args.n + kGroup - 1 + kSteps - 1) / kSteps;
  const int blocks =
      (tiles + SDTW_COST_GRADIENT_TILES - 1) / SDTW_COST_GRADIENT_TILES;
  const int strips = args.strip_end - args.strip_begin;
  const int strip = (int)blockIdx.x / blocks;
  const Strip s = strip_of(args, args.pair_begin + strip / strips,
                           args.strip_begin + strip % strips);
  const Outcome outcome = outcome_of(args, s);
  const int first =
      1 + ((int)blockIdx.x - strip * blocks) * SDTW_COST_GRADIENT_TILES;
  SDTW_UNROLL_BY(1)
  for (int u = first; u < first + SDTW_COST_GRADIENT_TILES && u <= tiles;
       ++u) {
    Tile tile = tile_of(args, s, u);
    if (outcome != Outcome::kSums) tile.before = tile.after = -1;
    SDTW_UNROLL
    for (int plane = 0; plane < kPlanes; ++plane) {
      TileLoad load;
      load.load(args, tile, plane);
      if (plane == 0) __syncthreads();
      load.store<false>(numbers + plane * kTileNumbers);
    }
    __syncthreads();
    write_tile(args, s, first_column(s, u), outcome, numbers);
  }
}

}  // namespace

// The gradient of cost matrices in gx, with tangents that of it there and
// itself in `alignment`. Blocks: for each pair and strip, one for every
// SDTW_COST_GRADIENT_TILES tiles of columns.
SDTW_KERNEL void SDTW_BOUNDS(kTileThreads, 4)
    soft_dtw_cost_gradient(const Arguments args) {
  constexpr bool kHas = kExplicit && sizeof(In) == sizeof(T);
  constexpr int kBytes = kHas ? kPlanes * kTileNumbers * (int)sizeof(In) : 16;
  Shared<char> memory = shared_memory<kBytes>();
  if (kHas) matrix_gradients(args, memory);
}
