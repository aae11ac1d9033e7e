// The kernels in a process of their own, for tests of kernels that were
// compiled for another processor. remote_kernels.py is the client.
//
// Requests come on the standard input and replies go to the standard output,
// one after the other. Numbers are int64 or double. Texts and arrays begin
// with their number of bytes, -1 for None. A reply is the text of an error,
// empty if there was none, and an array of bytes.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "batch.hpp"
#include "isa.hpp"
#include "threads.hpp"

namespace {

enum Request : int64_t { kLevels, kMake, kValue, kAdjoint, kCounts, kDrop };

void read(void* p, size_t size) {
  if (std::fread(p, 1, size, stdin) != size) std::exit(0);  // no client
}

template <class T>
T number() {
  T a;
  read(&a, sizeof a);
  return a;
}

int64_t integer() { return number<int64_t>(); }

std::string text() {
  std::string a(integer(), '\0');
  read(&a[0], a.size());
  return a;
}

// All bytes between the first and the last of an array, in whatever order its
// strides make of them.
struct Array {
  std::vector<char> bytes;
  const char* first = nullptr;  // of its elements; null for None

  void read_from_client(ptrdiff_t* strides = nullptr) {
    const int64_t size = integer();
    if (size < 0) return;
    const int64_t offset = integer();
    for (int i = 0; i < 3; ++i) {
      const int64_t stride = integer();
      if (strides) strides[i] = stride;
    }
    bytes.resize(size + 1);  // data() is not null
    read(bytes.data(), size);
    first = bytes.data() + offset;
  }
  template <class T>
  const T* of() const {
    return (const T*)first;
  }
};

// What _kernels.Sweep is in Python.
struct Sweep {
  Array x, y, c, z, dx, dy, x_length, y_length, band;
  sdtw::Input in;
  std::unique_ptr<sdtw::Batch> batch;

  bool read_from_client() {
    const bool keep_tape = integer();
    in.is_double = integer();
    in.batch = integer();
    in.m = integer();
    in.n = integer();
    in.d = integer();
    in.gamma = number<double>();
    const std::string cost = text();
    if (!cost.empty()) in.cost = sdtw::cost_kind(cost);
    in.direction = (sdtw::Direction)integer();
    x.read_from_client(in.x_stride);
    y.read_from_client(in.y_stride);
    c.read_from_client(in.c_stride);
    z.read_from_client(in.z_stride);
    dx.read_from_client(in.dx_stride);
    dy.read_from_client(in.dy_stride);
    x_length.read_from_client();
    y_length.read_from_client();
    ptrdiff_t band_strides[3];
    band.read_from_client(band_strides);
    in.x = x.first;
    in.y = y.first;
    in.c = c.first;
    in.z = z.first;
    in.dx = dx.first;
    in.dy = dy.first;
    in.x_length = x_length.of<int64_t>();
    in.y_length = y_length.of<int64_t>();
    in.band = band.of<int32_t>();
    if (in.band) in.band_stride = band_strides[0] / sizeof(int32_t);
    return keep_tape;
  }
};

std::map<int64_t, Sweep> sweeps;

std::vector<char> value(Sweep& sweep) {
  const size_t size = sweep.in.batch * sizeof(double);
  std::vector<char> out((sweep.in.tangent() ? 2 : 1) * size);
  sweep.batch->value((double*)out.data(), sweep.in.tangent()
                                              ? (double*)(out.data() + size)
                                              : nullptr);
  return out;
}

std::vector<char> adjoint(Sweep& sweep) {
  Array grad_value, grad_tangent;
  grad_value.read_from_client();
  grad_tangent.read_from_client();
  const int64_t gx = integer(), gy = integer(), e = integer();
  std::vector<char> out(gx + gy + e);
  char* p = out.data();
  sweep.batch->adjoint(grad_value.of<double>(), grad_tangent.of<double>(),
                       gx ? p : nullptr, gy ? p + gx : nullptr,
                       e ? p + gx + gy : nullptr);
  return out;
}

std::vector<char> answer(int64_t request) {
  if (request == kLevels) {
    std::string names;
    for (const char* name : sdtw::levels()) names += std::string(" ") + name;
    return {names.begin(), names.end()};
  }
  const int64_t id = integer();
  sdtw::set_num_threads((int)integer());
  if (request == kMake) {
    const std::string level = text();
    Sweep& sweep = sweeps[id];
    const bool keep_tape = sweep.read_from_client();
    if (!sdtw::set_level(level.c_str()))
      throw std::runtime_error("no level " + level);
    sweep.batch.reset(new sdtw::Batch(sweep.in, keep_tape));
    return {};
  }
  if (request == kDrop) {
    sweeps.erase(id);
    return {};
  }
  Sweep& sweep = sweeps.at(id);
  if (request == kValue) return value(sweep);
  if (request == kAdjoint) return adjoint(sweep);
  const int64_t counts[] = {(int64_t)sweep.batch->tape_bytes(),
                            sweep.batch->swept_back()};
  return {(const char*)counts, (const char*)(counts + 2)};
}

void reply(const void* p, int64_t size) {
  std::fwrite(&size, sizeof size, 1, stdout);
  std::fwrite(p, 1, size, stdout);
}

}  // namespace

int main() {
  for (;;) {
    const int64_t request = integer();
    std::string error;
    std::vector<char> result;
    try {
      result = answer(request);
    } catch (const std::exception& e) {
      error = e.what();
    }
    reply(error.data(), error.size());
    reply(result.data(), result.size());
    std::fflush(stdout);
  }
}
