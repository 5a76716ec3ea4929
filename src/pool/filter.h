// Filter: one --filter of a claim, which narrows the servers and GPUs that may serve it.
//
// FIELD=VALUE, FIELD!=VALUE, FIELD>=VALUE, FIELD<=VALUE; several filters must all hold.
//   server.addr            address, with or without the port                  =  !=
//   server.hostname        VALUE is a part of it, upper or lower case         =  !=
//   server.cuda-version    by its numbers: 11.10 is more than 11.2            =  !=  >=  <=
//   server.driver-version  by its numbers                                     =  !=  >=  <=
//   server.has-rdma        true or false                                      =  !=
//   device.id              number within its server                           =  !=  >=  <=
//   device.name            VALUE is a part of it, upper or lower case         =  !=
//   device.phy-memory      MiB                                                =  !=  >=  <=
//   device.capability      compute capability by its numbers                  =  !=  >=  <=
// Versions are compared as far as VALUE goes: server.cuda-version=12 holds for 12.4. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "pool/server.h"

namespace bitfusion::pool {

enum class FilterField {
    kServerAddr,
    kServerHostname,
    kServerCudaVersion,
    kServerDriverVersion,
    kServerHasRdma,
    kDeviceId,
    kDeviceName,
    kDevicePhyMemory,
    kDeviceCapability,
};

enum class FilterTest { kEqual, kNotEqual, kAtLeast, kAtMost };

struct Filter {
    FilterField field = FilterField::kServerAddr;
    FilterTest test = FilterTest::kEqual;
    std::string value;  // at most 255 printable characters

    bool operator==(const Filter&) const = default;
};

// The error names the fields and tests that there are.
Result<Filter> parse_filter(std::string_view text);
// parse_filter(text_of(filter)) is the filter again.
std::string text_of(const Filter& filter);

// A filter on a server's fact holds or fails for all its GPUs alike.
bool holds(const Filter& filter, const Server& server, const Gpu& gpu);

}  // namespace bitfusion::pool
