// SharedFile: an anonymous file that other processes map: the memory of a device, a piece of physical memory,
// the records of an event.
//
// What a file is for stands in its name, which its maker gives and nobody changes; its size is sealed, so
// that no process can make another's mapping end early. A file travels as a descriptor, or as the process and
// descriptor where it is open (/proc, same user). Both come from outside: adopt() and open_in() check name,
// seals and inode before anything is mapped. Owner of the descriptor. Units: bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

namespace bitfusion::soft {

class SharedFile {
    struct Key {};  // only make(), adopt() and open_in() make files

  public:
    enum class Use { kDevice, kPhysical, kEvent };

    SharedFile(Key, Use use, int gpu, int descriptor, uint64_t bytes, uint64_t inode);
    ~SharedFile();
    SharedFile(const SharedFile&) = delete;
    SharedFile& operator=(const SharedFile&) = delete;

    // Zeros of that size, in use by the GPU of that ordinal; null without descriptors or memory.
    static std::shared_ptr<SharedFile> make(Use use, int gpu, uint64_t bytes);
    // Another descriptor of the same file; the caller keeps the one that it gave. Null when it is no such
    // file.
    static std::shared_ptr<SharedFile> adopt(int descriptor);
    // The file that is open in that process; null when that is over, or when it is another by now.
    static std::shared_ptr<SharedFile> open_in(pid_t process, int descriptor, uint64_t inode);

    // A descriptor for somebody else, closed on exec; -1 without one.
    int duplicate() const;

    const Use use;
    const int gpu;
    const int descriptor;
    const uint64_t bytes;
    const uint64_t inode;

  private:
    static std::shared_ptr<SharedFile> take_over(int descriptor);
};

using SharedFilePtr = std::shared_ptr<SharedFile>;

}  // namespace bitfusion::soft
