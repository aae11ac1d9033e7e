// What a message tells about where something went wrong.
#include <stdarg.h>
#include <stdio.h>

#include "collective.hpp"
#include "machine.hpp"

namespace ptx_on_cpu {

namespace {

std::string thread_of(const Warp& w, int lane) {
  const uint32_t number = w.number % w.machine->warps_per_block;
  return "block " + std::to_string(w.block->id) + ", thread " +
         std::to_string(number * kLanes + (uint32_t)lane);
}

std::string format_list(const char* format, va_list list) {
  char text[768];
  vsnprintf(text, sizeof text, format, list);
  return text;
}

__attribute__((format(printf, 1, 2))) std::string format_of(const char* format,
                                                            ...) {
  va_list list;
  va_start(list, format);
  std::string text = format_list(format, list);
  va_end(list);
  return text;
}

}  // namespace

std::string line_of(const Machine& m, int at) {
  const Origin& o = m.kernel.origins[(size_t)at];
  std::string text = "PTX line " + std::to_string(o.line);
  if (o.source_line && (size_t)o.source_file < m.module.files.size()) {
    text += " of " + m.module.files[(size_t)o.source_file] + ":" +
            std::to_string(o.source_line);
  }
  if ((size_t)o.line <= m.module.lines.size() && o.line > 0) {
    std::string line(m.module.lines[(size_t)o.line - 1]);
    for (char& c : line) c = c == '\t' ? ' ' : c;
    text += ": " + line.substr(line.find_first_not_of(' '));
  }
  return text;
}

void fail(const Warp& w, int lane, Error error, const char* format, ...) {
  va_list list;
  va_start(list, format);
  const std::string what = format_list(format, list);
  va_end(list);
  throw Fault(error, w.machine->kernel.name + ": " + thread_of(w, lane) +
                         ": " + what + " (" + line_of(*w.machine, w.current) +
                         ")");
}

std::string place_of(const Warp& w, uint64_t address, int bytes) {
  const Machine& m = *w.machine;
  const auto index_in = [&](uint64_t low) {
    const int64_t offset = (int64_t)(address - low);
    return (long long)(offset >= 0 ? offset / bytes
                                   : -((-offset + bytes - 1) / bytes));
  };
  // Also a little below it.
  if ((address + (1ull << 40)) >> 60 == kSharedWindow >> 60) {
    return format_of("shared memory [%lld] of %lld elements of %d bytes",
                     index_in(kSharedWindow),
                     (long long)w.block->shared.size() / bytes, bytes);
  }
  if (address >> 60 == kLocalWindow >> 60) {
    return format_of("local memory at byte %lld of %d",
                     (long long)(address - kLocalWindow),
                     m.kernel.local_bytes);
  }
  // What is a little below an array has the number of the one before.
  size_t slot = address >> kWindowBits;
  const uint64_t half = 1ull << (kWindowBits - 1);
  if (address % (2 * half) >= half) ++slot;
  if (slot == 0 || slot > m.windows.size()) {
    return slot == 0 ? format_of("[%lld] of a null pointer",
                                 (long long)address / bytes)
                     : format_of("address 0x%llx of no array",
                                 (unsigned long long)address);
  }
  const Window& window = m.windows[slot - 1];
  std::string name = window.argument < 0
                         ? "variable " + window.name
                         : "argument " + std::to_string(window.argument);
  if (window.argument >= 0 && !window.name.empty()) name = window.name;
  return format_of("%s [%lld] of %lld elements of %d bytes", name.c_str(),
                   index_in(window.low), (long long)window.size / bytes,
                   bytes);
}

void Machine::explain_standstill() {
  for (const auto& block : blocks) {
    for (Warp& w : block->warps) {
      for (int a = 0; a < w.count; ++a) {
        const Group& g = w.groups[(size_t)a];
        if (g.state != State::kCollective) continue;
        for (int b = 0; b < w.count; ++b) {
          const Group& h = w.groups[(size_t)b];
          if (!(h.lanes & g.mask) || h.state == State::kReady ||
              (h.state == g.state && h.mask == g.mask)) {
            continue;
          }
          w.current = g.at;
          fail(w, first(g.lanes), Error::kDivergence,
               "divergence: waits for lane %d, which waits at %s",
               first(h.lanes), line_of(*this, h.at).c_str());
        }
      }
    }
  }
  for (const auto& block : blocks) {
    for (Warp& w : block->warps) {
      for (int a = 0; a < w.count; ++a) {
        const Group& g = w.groups[(size_t)a];
        if (g.state != State::kBarrier || !ready.empty()) continue;
        const Barrier& barrier = block->barriers[g.mask];
        w.current = g.at;
        fail(w, first(g.lanes), Error::kDivergence,
             "barrier divergence: at barrier %u there are %u of %u threads, "
             "and no thread can go on",
             g.mask, barrier.arrived, barrier.expected);
      }
    }
  }
  if (!looking.warp) {
    throw Fault(Error::kDeadlock,
                kernel.name + ": deadlock: no thread can go on");
  }
  const Warp& l = *looking.warp;
  throw Fault(Error::kDeadlock, kernel.name + ": " +
                                    thread_of(l, looking.lane) +
                                    ": deadlock: awaits another value of " +
                                    place_of(l, looking.address, 4) +
                                    ", and nothing else happens (" +
                                    line_of(*this, looking.instruction) + ")");
}

}  // namespace ptx_on_cpu
