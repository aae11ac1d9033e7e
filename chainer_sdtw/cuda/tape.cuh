// Where the tape of a pair is, and the progress of its strips.
//
// Per pair: edges of the strips of a slab, states of the strips of a slab,
// edges above all slabs but the first, and one more edge that the strips of
// other slabs hand on (and that holds masses in the adjoint sweep).
#pragma once

#include "strip.cuh"

namespace {

constexpr int kState = 2 * kRows;  // entries of a state

SDTW_DEVICE long long fine_size(const Arguments& args) {
  if (args.fine_slab < 0) return 0;
  return args.slab_strips * (args.edge + args.states);
}
SDTW_DEVICE Global<Packed> running_edge(const Arguments& args,
                                        const Strip& s) {
  return s.tape + (fine_size(args) + (long long)(args.slabs - 1) * args.edge);
}
// The edge below a strip, which has the columns of its last row.
SDTW_DEVICE Global<Packed> edge_below(const Arguments& args, const Strip& s,
                                      int index) {
  const int slab = index / args.slab_strips;
  const int place = index - slab * args.slab_strips;
  if (place == args.slab_strips - 1 && slab < args.slabs - 1)
    return s.tape + (fine_size(args) + (long long)slab * args.edge);
  if (slab == args.fine_slab) return s.tape + (long long)place * args.edge;
  return running_edge(args, s);
}
// The state of a strip of the fine slab at the start of a segment, not its
// first one.
SDTW_DEVICE Global<Packed> state(const Arguments& args, const Strip& s,
                                 int q) {
  const int place = s.index - args.fine_slab * args.slab_strips;
  return s.tape +
         ((long long)args.slab_strips * args.edge + place * args.states +
          (long long)(q - s.first_segment - 1) * kState);
}

// The number of segments of a strip that have been swept, or whose gradients
// have been added to those of other strips.
SDTW_DEVICE Global<int> progress_of(const Arguments& args, const Strip& s,
                                    int index, bool gradient = false) {
  const long long strips = args.strip_end - args.strip_begin;
  return args.progress +
         (1 +
          (index - args.strip_begin + (gradient ? strips : 0)) * args.batch +
          s.b);
}

}  // namespace
