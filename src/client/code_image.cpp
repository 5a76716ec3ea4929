#include "client/code_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "client/context.h"
#include "client/device.h"
#include "client/jit_options.h"
#include "client/session.h"
#include "image/container.h"
#include "image/digest.h"
#include "image/select.h"

namespace bitfusion::client {
namespace {

image::Capability capability() {
    const CUdevice device = current_device() >= 0 ? current_device() : 0;
    return {attribute_of(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            attribute_of(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)};
}

}  // namespace

CUresult load_image(const void* image, uint64_t name, bool as_library, unsigned count, CUjit_option* options,
                    void** values) {
    auto measured = image::measure(image);
    if (!measured) {
        BF_LOG("client", kWarn, "a code image cannot be read: %s", measured.error().what.c_str());
        return CUDA_ERROR_INVALID_IMAGE;
    }
    std::vector<image::Bytes> parts{measured->code};
    std::vector<std::byte> thinned;
    const bool fatbin = image::form_of(measured->code) == image::Form::kFatbin;
    if (fatbin) {
        if (auto kept = image::keep_usable(measured->code, capability()); kept) {
            thinned = std::move(*kept);
            parts[0] = image::Bytes(thinned);
        }
    }
    parts.insert(parts.end(), measured->prelink.begin(), measured->prelink.end());

    JitOptions jit(count, options, values);
    if (!jit.good()) return CUDA_ERROR_NOT_SUPPORTED;

    std::vector<uint64_t> sizes;
    std::vector<std::byte> joined;
    const void* data = parts[0].data();
    size_t bytes = parts[0].size();
    for (const image::Bytes& part : parts) sizes.push_back(part.size());
    if (parts.size() > 1) {
        for (const image::Bytes& part : parts) {
            joined.insert(joined.end(), part.begin(), part.end());
            joined.resize((joined.size() + 7) / 8 * 8);
        }
        data = joined.data();
        bytes = joined.size();
    }

    const auto describe_to = [&](auto* m) {
        m->name = name;
        m->as_library = as_library ? 1 : 0;
        m->wrapper_version = measured->wrapper_version;
        m->sizes = {reinterpret_cast<const uint8_t*>(sizes.data()), sizes.size() * sizeof(uint64_t)};
        m->options = jit.bytes();
    };
    CUresult status = CUDA_ERROR_UNKNOWN;
    const auto take = [&](const auto& reply) {
        status = static_cast<CUresult>(reply.status);
        jit.give_logs(reply.info_log, reply.error_log);
        jit.give_wall_time(reply.wall_ms);
    };
    bool missing = true;
    CUresult travelled = CUDA_SUCCESS;
    if (image_key() && bytes >= image::kLeastCached) {
        const image::Digest digest =
            image::digest_of(*image_key(), {static_cast<const std::byte*>(data), bytes});
        msg::ImageLoad m;
        describe_to(&m);
        m.digest = digest;
        travelled = call(m, [&](const msg::ImageLoad::Reply& reply) {
            missing = reply.missing != 0;
            if (!missing) take(reply);
        });
    }
    if (travelled == CUDA_SUCCESS && missing) {
        msg::ModuleLoad m;
        describe_to(&m);
        travelled = session()->call_bulk(
            msg::ModuleLoad::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, data, bytes,
            [&](wire::Reader& r) {
                msg::ModuleLoad::Reply reply;
                reply.decode(r);
                take(reply);
            });
    }
    if (travelled != CUDA_SUCCESS) return travelled;
    if (status == CUDA_ERROR_NO_BINARY_FOR_GPU && fatbin) {
        const auto entries = image::entries_of(measured->code);
        BF_LOG("client", kWarn,
               "no code for this GPU (compute capability %d.%d): the image has %s; compile it for this GPU "
               "or add PTX",
               capability().major, capability().minor,
               entries ? image::describe(*entries).c_str() : "no code");
    }
    return status;
}

ImageFile::ImageFile(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat facts {};
    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode)) {
        // One page more than the file: text ends with a NUL even when the file fills its last page.
        bytes_ = static_cast<size_t>(facts.st_size) + 4096;
        void* place = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        size_t at = 0;
        while (place != MAP_FAILED && at < static_cast<size_t>(facts.st_size)) {
            const ssize_t got =
                read(file, static_cast<char*>(place) + at, static_cast<size_t>(facts.st_size) - at);
            if (got <= 0) break;
            at += static_cast<size_t>(got);
        }
        if (place != MAP_FAILED && at == static_cast<size_t>(facts.st_size))
            data_ = place, file_bytes_ = at;
        else if (place != MAP_FAILED)
            munmap(place, bytes_);
    }
    close(file);
}

ImageFile::~ImageFile() {
    if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace bitfusion::client
