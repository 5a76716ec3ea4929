// Trail: which requests are changes that are written into the audit trail (audit.h), under which name, and
// which list they change (events.h). Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/events.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {

// "PUT /v1/clients/{id}", "sign in"
std::string trail_name(const Route& route);
// What clients take and give back for themselves is not kept.
bool is_kept(const Route& route, const Asked& asked);
// The lists that change when the route did something.
std::vector<Topic> topics_of(const Route& route);
// What a role may hear of.
std::vector<Topic> topics_for(identity::Role role);

}  // namespace bitfusion::daemon
