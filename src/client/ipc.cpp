// Memory and events of other processes of the same lease (cuIpcGetMemHandle and its kin). A handle is a token
// of the worker's (src/worker/exchange.h): it means something to the lease's workers and to nobody else.
#include <cstring>

#include "base/log.h"
#include "client/context.h"
#include "client/feedback.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

template <typename Handle>
std::span<const uint8_t> bytes_of(const Handle& handle) {
    return {reinterpret_cast<const uint8_t*>(&handle), sizeof handle};
}

// Writes the token of an answer; the session ends when it has another size (decode leaves the rest).
template <typename Handle>
CUresult take_token(Handle* out, std::span<const uint8_t> token) {
    if (token.size() != sizeof *out) return CUDA_ERROR_UNKNOWN;
    memcpy(out, token.data(), sizeof *out);
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuIpcGetMemHandle(CUipcMemHandle* pHandle, CUdeviceptr dptr) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const auto range = range_of(dptr);
    if (pHandle == nullptr || !range || range->kind != MemoryRange::Kind::kDevice)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult taken = CUDA_SUCCESS;
    const CUresult result = call(msg::MemoryShare{dptr}, [&](const msg::MemoryShare::Reply& reply) {
        taken = take_token(pHandle, reply.token);
    });
    return result != CUDA_SUCCESS ? result : taken;
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* pdptr, CUipcMemHandle handle, unsigned int Flags) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pdptr == nullptr || Flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) return CUDA_ERROR_INVALID_VALUE;
    msg::MemoryOpen::Reply opened;
    const CUresult result = call(msg::MemoryOpen{bytes_of(handle), Flags},
                                 [&](const msg::MemoryOpen::Reply& reply) { opened = reply; });
    if (result != CUDA_SUCCESS) return result;
    if (opened.again == 0) {
        // The driver has one address for it in the worker, so there is no other to ask for.
        if (!reserve_addresses(opened.address, opened.byte_count)) {
            BF_LOG("client", kError,
                   "memory of another process has an address that is in use here; start the program again");
            call(msg::MemoryClose{opened.address}, [](const auto&) {});
            return CUDA_ERROR_MAP_FAILED;
        }
        MemoryRange range;
        range.kind = MemoryRange::Kind::kOpened;
        range.base = opened.address;
        range.bytes = opened.byte_count;
        range.context = current_context();
        range.device = current_device();
        remember_range(range);
    }
    *pdptr = opened.address;
    return CUDA_SUCCESS;
}

CUresult cuIpcCloseMemHandle(CUdeviceptr dptr) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const auto range = range_of(dptr);
    if (!range || range->kind != MemoryRange::Kind::kOpened || range->base != dptr)
        return CUDA_ERROR_INVALID_VALUE;
    uint32_t left = 0;
    const CUresult result =
        call(msg::MemoryClose{dptr}, [&](const msg::MemoryClose::Reply& reply) { left = reply.left; });
    if (result == CUDA_SUCCESS && left == 0) forget_range(dptr, MemoryRange::Kind::kOpened);
    return result;
}

CUresult cuIpcGetEventHandle(CUipcEventHandle* pHandle, CUevent event) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pHandle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult taken = CUDA_SUCCESS;
    const CUresult result = call(msg::EventShare{wire_name(event)}, [&](const msg::EventShare::Reply& reply) {
        taken = take_token(pHandle, reply.token);
    });
    return result != CUDA_SUCCESS ? result : taken;
}

CUresult cuIpcOpenEventHandle(CUevent* phEvent, CUipcEventHandle handle) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (phEvent == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto event = from_wire_name<CUevent>(name_handle(wire::Kind::kEvent));
    const CUresult result = call(msg::EventOpen{wire_name(event), bytes_of(handle)}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    remember_opened_event(event);
    *phEvent = event;
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
