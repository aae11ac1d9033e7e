// The instruction sets that the sweeps are built for.
#pragma once

#include <vector>

#include "kernels.hpp"

namespace sdtw {

// Instruction sets built in and usable on this processor, slowest first.
std::vector<const char*> levels();
const char* level();
bool set_level(const char* name);  // false: not usable here

// The one that is in use, and the one that runs everywhere.
const Level& active();
const Level& baseline();

}  // namespace sdtw
