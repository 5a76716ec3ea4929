// ptx_document                    prints docs/ptx.md
// ptx_document --modules FOLDER   writes the PTX text of every case there, for other assemblers to read
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "ptx/case.h"
#include "ptx/catalogue.h"

namespace {

using bitfusion::ptx::Case;
using bitfusion::ptx::Entry;
using bitfusion::ptx::Group;

int write_modules(const std::string& folder) {
    for (const Group& group : bitfusion::ptx::groups()) {
        size_t number = 0;
        for (const Case& one : group.cases) {
            const std::string path = folder + "/" + group.name + "-" + std::to_string(number++) + "-sm" +
                                     std::to_string(one.sm) + ".ptx";
            std::ofstream file(path);
            file << "// " << one.name << "\n" << bitfusion::ptx::module_of(one);
            if (!file) {
                std::fprintf(stderr, "cannot write %s; does the folder exist?\n", path.c_str());
                return 1;
            }
        }
    }
    return 0;
}

// What an instruction's name in the list of cases begins with: "mma.sync.aligned..." is of "mma".
std::string mnemonic_of(const std::string& form) {
    size_t end = 0;
    while (end < form.size() && form[end] != '.' && form[end] != ' ' && form[end] != '/') ++end;
    return form.substr(0, end);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--modules") == 0) return write_modules(argv[2]);
    std::map<std::string, std::vector<const Case*>> tested;
    for (const Group& group : bitfusion::ptx::groups())
        for (const Case& one : group.cases) tested[mnemonic_of(one.name)].push_back(&one);
    std::printf(
        "# PTX on the software GPU\n\n"
        "Made by `build/tests/ptx_document > docs/ptx.md` from the cases in `tests/ptx/`; `./test.sh` checks "
        "that it is\n"
        "current. An instruction is *tested* when kernels of its own run in `ptx_tests`, on the software GPU "
        "and, where\n"
        "there is one, on a real GPU: forms are spellings of the instruction, threads are inputs with a "
        "known result.\n"
        "Whatever is *refused* makes loading a module fail with `CUDA_ERROR_NOT_SUPPORTED` and its name in "
        "the log.\n");
    const char* section = "";
    for (const Entry& entry : bitfusion::ptx::catalogue()) {
        if (std::strcmp(section, entry.section) != 0) {
            section = entry.section;
            std::printf(
                "\n## %s\n\n| instruction | state | forms | threads | least sm | remarks "
                "|\n|---|---|---|---|---|---|\n",
                section);
        }
        const auto at = tested.find(entry.mnemonic);
        if (at == tested.end()) {
            std::printf("| `%s` | %s | | | | %s |\n", entry.mnemonic, entry.state, entry.remark.c_str());
            continue;
        }
        size_t threads = 0;
        unsigned least = 1000;
        for (const Case* one : at->second) {
            threads += one->threads.size();
            least = std::min(least, one->sm);
        }
        std::printf("| `%s` | tested | %zu | %zu | %u | %s |\n", entry.mnemonic, at->second.size(), threads,
                    least, entry.remark.c_str());
    }
    return 0;
}
