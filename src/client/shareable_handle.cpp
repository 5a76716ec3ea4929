// Memory that travels between processes of one host as a file descriptor: physical memory and pools. The
// driver's file is on the server; here its place is taken by one end of a pair of sockets, in which the token
// of the worker's lies (src/worker/exchange.h). It may be duplicated, sent and inherited like any descriptor;
// who imports it looks at the token and leaves it there. The other end stays here and tells when the last
// copy is closed: then the worker lets go of the driver's file.
#include "client/shareable_handle.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "client/clear_address.h"
#include "client/context.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kTokenBytes = 64;
using Token = std::array<uint8_t, kTokenBytes>;

struct Given {
    int end = -1;
    Token token{};
};

struct Givens {
    std::mutex lock;
    std::vector<Given> all;
};

Givens& givens() {
    static Givens* const made = std::make_unique<Givens>().release();  // outlives every exit handler
    return *made;
}

std::span<const uint8_t> bytes_of(const Token& token) { return {token.data(), token.size()}; }

// Takes the token of an answer; false when it has another size.
bool take_token(std::span<const uint8_t> from, Token* token) {
    if (from.size() != token->size()) return false;
    memcpy(token->data(), from.data(), token->size());
    return true;
}

CUresult give_out(const Token& token, void* out) {
    std::array<int, 2> ends{-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0 ||
        send(ends[1], token.data(), token.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(token.size())) {
        for (const int end : ends) {
            if (end >= 0) close(end);
        }
        post(msg::Unshare{bytes_of(token)});
        return CUDA_ERROR_OPERATING_SYSTEM;
    }
    const std::lock_guard<std::mutex> lock(givens().lock);
    givens().all.push_back({ends[1], token});
    memcpy(out, &ends[0], sizeof(int));
    return CUDA_SUCCESS;
}

// The descriptor comes in the place of a pointer.
bool taken_in(void* handle, Token* token) {
    const auto number = reinterpret_cast<uintptr_t>(handle);
    return number <= INT_MAX &&
           recv(static_cast<int>(number), token->data(), token->size(),
                MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC) == static_cast<ssize_t>(token->size());
}

bool travels(CUmemAllocationHandleType type) { return type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR; }

}  // namespace

void let_go_of_closed_handles() {
    std::vector<Given> closed;
    {
        const std::lock_guard<std::mutex> lock(givens().lock);
        std::erase_if(givens().all, [&](const Given& given) {
            pollfd end{given.end, 0, 0};
            if (poll(&end, 1, 0) <= 0 || (end.revents & POLLHUP) == 0) return false;
            closed.push_back(given);
            return true;
        });
    }
    for (const Given& given : closed) {
        close(given.end);
        post(msg::Unshare{bytes_of(given.token)});
    }
}

CUresult cuMemExportToShareableHandle(void* shareableHandle, CUmemGenericAllocationHandle handle,
                                      CUmemAllocationHandleType handleType, unsigned long long flags) {
    if (shareableHandle == nullptr || !travels(handleType)) return CUDA_ERROR_INVALID_VALUE;
    let_go_of_closed_handles();
    Token token;
    bool good = false;
    const CUresult result =
        call(msg::AllocationShare{wire_name(handle), flags},
             [&](const msg::AllocationShare::Reply& reply) { good = take_token(reply.token, &token); });
    if (result != CUDA_SUCCESS) return result;
    return good ? give_out(token, shareableHandle) : CUDA_ERROR_UNKNOWN;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* handle, void* osHandle,
                                        CUmemAllocationHandleType shHandleType) {
    Token token;
    if (handle == nullptr || !travels(shHandleType) || !taken_in(osHandle, &token))
        return CUDA_ERROR_INVALID_VALUE;
    return call(msg::AllocationOpen{bytes_of(token)}, [&](const msg::AllocationOpen::Reply& reply) {
        *handle = from_wire_name<CUmemGenericAllocationHandle>(reply.handle);
    });
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    let_go_of_closed_handles();
    return remote::cuMemRelease(handle);
}

CUresult cuMemPoolExportToShareableHandle(void* handle_out, CUmemoryPool pool,
                                          CUmemAllocationHandleType handleType, unsigned long long flags) {
    if (handle_out == nullptr || pool == nullptr || !travels(handleType)) return CUDA_ERROR_INVALID_VALUE;
    let_go_of_closed_handles();
    Token token;
    bool good = false;
    const CUresult result =
        call(msg::PoolShare{wire_name(pool), flags},
             [&](const msg::PoolShare::Reply& reply) { good = take_token(reply.token, &token); });
    if (result != CUDA_SUCCESS) return result;
    return good ? give_out(token, handle_out) : CUDA_ERROR_UNKNOWN;
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool* pool_out, void* handle,
                                            CUmemAllocationHandleType handleType, unsigned long long flags) {
    Token token;
    if (pool_out == nullptr || !travels(handleType) || !taken_in(handle, &token))
        return CUDA_ERROR_INVALID_VALUE;
    return call(msg::PoolOpen{bytes_of(token), flags}, [&](const msg::PoolOpen::Reply& reply) {
        *pool_out = from_wire_name<CUmemoryPool>(reply.pool);
    });
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* shareData_out, CUdeviceptr ptr) {
    const auto range = range_of(ptr);
    if (shareData_out == nullptr || !range || range->kind != MemoryRange::Kind::kPool || range->base != ptr)
        return CUDA_ERROR_INVALID_VALUE;
    Token token;
    bool good = false;
    const CUresult result = call(msg::PoolPointerShare{ptr}, [&](const msg::PoolPointerShare::Reply& reply) {
        good = take_token(reply.token, &token);
    });
    if (result != CUDA_SUCCESS) return result;
    if (!good) return CUDA_ERROR_UNKNOWN;
    static_assert(sizeof *shareData_out == sizeof token);
    memcpy(shareData_out, token.data(), sizeof token);
    return CUDA_SUCCESS;
}

CUresult cuMemPoolImportPointer(CUdeviceptr* ptr_out, CUmemoryPool pool, CUmemPoolPtrExportData* shareData) {
    if (ptr_out == nullptr || pool == nullptr || shareData == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Token token;
    memcpy(token.data(), shareData, sizeof token);
    size_t bytes = 0;
    const CUresult result = allocate_clear(
        ptr_out, &bytes,
        [&] {
            return call(msg::PoolPointerOpen{wire_name(pool), bytes_of(token)},
                        [&](const msg::PoolPointerOpen::Reply& reply) {
                            *ptr_out = reply.address;
                            bytes = reply.byte_count;
                        });
        },
        [](CUdeviceptr p) { remote::cuMemFree_v2(p); });
    if (result != CUDA_SUCCESS) return result;
    MemoryRange range;
    range.kind = MemoryRange::Kind::kPool;
    range.base = *ptr_out;
    range.bytes = bytes;
    range.context = current_context();
    range.device = current_device();
    remember_range(range);
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
