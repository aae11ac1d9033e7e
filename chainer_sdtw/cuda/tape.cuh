// The tape, and how far strips are.
//
// Per pair: edges of the strips of a slab, states of the strips of a slab,
// edges above all slabs but the first, and one more edge that the strips of
// other slabs hand on (and that holds masses in the adjoint sweep).
#pragma once

#include "strip.cuh"

namespace {

constexpr int kState = 2 * kRows;

SDTW_DEVICE long long fine_size(const Sweep& w) {
  if (w.kept < 0) return 0;
  return w.slab_strips * (w.edge + w.states);
}
SDTW_DEVICE Global<Packed> running_edge(const Sweep& w, const Strip& s) {
  return s.slot + (fine_size(w) + (long long)(w.slabs - 1) * w.edge);
}
// The edge below a strip: of the columns of its last row.
SDTW_DEVICE Global<Packed> edge_below(const Sweep& w, const Strip& s,
                                      int index) {
  const int slab = index / w.slab_strips;
  const int place = index - slab * w.slab_strips;
  if (place == w.slab_strips - 1 && slab < w.slabs - 1)
    return s.slot + (fine_size(w) + (long long)slab * w.edge);
  if (slab == w.kept) return s.slot + (long long)place * w.edge;
  return running_edge(w, s);
}
// The states of a strip of the kept slab at the start of a segment after its
// first.
SDTW_DEVICE Global<Packed> state(const Sweep& w, const Strip& s, int q) {
  const int place = s.index - w.kept * w.slab_strips;
  return s.slot + ((long long)w.slab_strips * w.edge + place * w.states +
                   (long long)(q - s.start - 1) * kState);
}

// Segments that are done of a strip: of its sweep, or of the gradient that it
// adds to what other strips have added.
SDTW_DEVICE Global<int> progress_of(const Sweep& w, const Strip& s, int index,
                                    bool gradient = false) {
  const long long strips = w.last - w.first;
  return w.progress +
         (1 + (index - w.first + (gradient ? strips : 0)) * w.batch + s.b);
}

}  // namespace
