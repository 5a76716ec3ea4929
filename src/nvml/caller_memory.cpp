#include "nvml/caller_memory.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/descriptor.h"

namespace bitfusion::nvml {
namespace {

// Past the C library's functions: the sanitizers would judge the address before the kernel does.
bool done(long number, const Descriptor& file, const void* place, size_t bytes) {
    return syscall(number, file.get(), place, bytes, 0L) == static_cast<long>(bytes);
}

}  // namespace

bool copy_if_possible(void* to, const void* from, size_t bytes) {
    const Descriptor between(memfd_create("nvml", MFD_CLOEXEC));
    return between && done(SYS_pwrite64, between, from, bytes) && done(SYS_pread64, between, to, bytes);
}

bool text_of_caller(const char* from, std::string* text) {
    constexpr size_t kPage = 4096;  // where the next one may be missing
    char buffer[kMostText];
    const size_t here = std::min(kMostText, kPage - reinterpret_cast<uintptr_t>(from) % kPage);
    if (!copy_if_possible(buffer, from, here)) return false;
    size_t length = strnlen(buffer, here);
    if (length == here && here < kMostText) {
        if (!copy_if_possible(buffer + here, from + here, kMostText - here)) return false;
        length = strnlen(buffer, kMostText);
    }
    text->assign(buffer, length);
    return length < kMostText;
}

bool may_be_a_variable(const void* argument) {
    if (argument == nullptr || reinterpret_cast<uintptr_t>(argument) % alignof(unsigned) != 0) return false;
    Dl_info info{};
    link_map* object = nullptr;
    if (dladdr1(argument, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0) return true;
    return object != nullptr && object->l_name[0] == '\0';  // the program itself
}

}  // namespace bitfusion::nvml
