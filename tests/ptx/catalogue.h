// Catalogue: every instruction of PTX, for the document. Source document: NVIDIA, "PTX ISA" 9.0, chapter 9.
#pragma once

#include <string>
#include <vector>

namespace bitfusion::ptx {

struct Entry {
    const char* section;
    const char* mnemonic;
    const char* state;  // where no case has it: "refused", "runs"
    std::string remark;
};

const std::vector<Entry>& catalogue();

}  // namespace bitfusion::ptx
