// Attach: the devices of the session and everything static about them, in one answer.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

#include "base/log.h"
#include "wire/facts.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr int kPeerFacts = 5;  // as the client's device.cpp reads them
constexpr size_t kMostVisibleText = 4096;

std::string uuid_text(const CUuuid& uuid) {
    char text[48];
    const auto* b = reinterpret_cast<const uint8_t*>(uuid.bytes);
    snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return text;
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos && text.size() < 9;
}

// CUDA_VISIBLE_DEVICES: indexes or beginnings of UUIDs; the first entry that names no device ends the list.
std::vector<int> visible_devices(Session& s, const std::string& asked) {
    const std::vector<int>& granted = s.grant.devices;
    if (asked == "*") return granted;
    std::vector<int> visible;
    std::istringstream parts(asked);
    for (std::string part; std::getline(parts, part, ',');) {
        part.erase(0, part.find_first_not_of(' '));
        part.erase(part.find_last_not_of(' ') + 1);
        int found = -1;
        if (is_number(part)) {
            const auto index = static_cast<size_t>(std::stoul(part));
            if (index < granted.size()) found = granted[index];
        } else if (part.rfind("GPU-", 0) == 0) {
            for (const int ordinal : granted) {
                CUuuid uuid{};
                if (s.driver.cuDeviceGetUuid_v2(&uuid, ordinal) == CUDA_SUCCESS &&
                    uuid_text(uuid).rfind(part, 0) == 0)
                    found = ordinal;
            }
        }
        if (found < 0 || std::find(visible.begin(), visible.end(), found) != visible.end()) break;
        visible.push_back(found);
    }
    return visible;
}

wire::DeviceFacts facts_of(Session& s, CUdevice device) {
    wire::DeviceFacts facts;
    char text[256] = "";
    s.driver.cuDeviceGetName(text, sizeof text, device);
    facts.name = text;
    CUuuid uuid{};
    s.driver.cuDeviceGetUuid_v2(&uuid, device);
    memcpy(facts.uuid_second.data(), uuid.bytes, sizeof uuid.bytes);
    if (s.driver.cuDeviceGetUuid != nullptr) s.driver.cuDeviceGetUuid(&uuid, device);
    memcpy(facts.uuid.data(), uuid.bytes, sizeof uuid.bytes);
    if (s.driver.cuDeviceGetLuid != nullptr) {
        facts.luid_result =
            s.driver.cuDeviceGetLuid(reinterpret_cast<char*>(facts.luid.data()), &facts.node_mask, device);
    }
    size_t total = 0;
    s.driver.cuDeviceTotalMem_v2(&total, device);
    facts.total_bytes = s.memory.partition() != 0 ? std::min<uint64_t>(total, s.memory.partition()) : total;
    text[0] = '\0';
    s.driver.cuDeviceGetPCIBusId(text, sizeof text, device);
    facts.pci_bus = text;
    facts.attributes.resize(CU_DEVICE_ATTRIBUTE_MAX);
    for (int a = 1; a < CU_DEVICE_ATTRIBUTE_MAX; ++a) {
        wire::AttributeFact& fact = facts.attributes[static_cast<size_t>(a)];
        fact.result = s.driver.cuDeviceGetAttribute(&fact.value, static_cast<CUdevice_attribute>(a), device);
    }
    return facts;
}

std::vector<wire::AttributeFact> peer_facts(Session& s, const std::vector<int>& devices) {
    std::vector<wire::AttributeFact> facts;
    for (const int from : devices) {
        for (const int to : devices) {
            wire::AttributeFact access;
            access.result =
                from == to ? CUDA_SUCCESS : s.driver.cuDeviceCanAccessPeer(&access.value, from, to);
            facts.push_back(access);
            for (int a = 1; a < kPeerFacts; ++a) {
                wire::AttributeFact fact;
                if (from != to && s.driver.cuDeviceGetP2PAttribute != nullptr) {
                    fact.result = s.driver.cuDeviceGetP2PAttribute(
                        &fact.value, static_cast<CUdevice_P2PAttribute>(a), from, to);
                }
                facts.push_back(fact);
            }
        }
    }
    return facts;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::Attach& m) {
    if (m.visible.size() > kMostVisibleText) return s.peer_is_wrong(frame, "visible");
    const std::vector<int> visible = visible_devices(s, std::string(m.visible));
    std::vector<wire::DeviceFacts> devices;
    for (const int ordinal : visible) devices.push_back(facts_of(s, ordinal));
    const std::vector<uint8_t> encoded = wire::encode(devices);
    const std::vector<wire::AttributeFact> peers = peer_facts(s, visible);
    s.see_devices(visible);
    msg::Attach::Reply reply;
    s.driver.cuDriverGetVersion(&reply.driver_version);
    reply.devices = {encoded.data(), encoded.size()};
    reply.peers = {reinterpret_cast<const uint8_t*>(peers.data()),
                   peers.size() * sizeof(wire::AttributeFact)};
    reply.partition_bytes = s.memory.partition();
    if (s.images.key() && !s.shares_memory()) reply.image_key = *s.images.key();
    BF_LOG("worker", kInfo, "program %s (pid %u on the client) attached with %zu devices",
           s.grant.program.c_str(), s.grant.process, visible.size());
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

}  // namespace bitfusion::worker
