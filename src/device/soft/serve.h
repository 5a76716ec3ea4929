// Serve: each noun of the driver puts its functions into the table.
#pragma once

namespace bitfusion {
struct DriverTable;
}

namespace bitfusion::soft {

void serve_arrays(DriverTable* table);
void serve_captures(DriverTable* table);
void serve_conditionals(DriverTable* table);
void serve_contexts(DriverTable* table);
void serve_copies(DriverTable* table);
void serve_copy_batches(DriverTable* table);
void serve_devices(DriverTable* table);
// After all others: it points at what they served.
void serve_earlier_variants(DriverTable* table);
void serve_errors(DriverTable* table);
void serve_events(DriverTable* table);
void serve_functions(DriverTable* table);
void serve_graphs(DriverTable* table);
void serve_graph_execs(DriverTable* table);
void serve_graph_memory(DriverTable* table);
void serve_graph_nodes(DriverTable* table);
void serve_host_memory(DriverTable* table);
void serve_ipc(DriverTable* table);
void serve_launches(DriverTable* table);
void serve_libraries(DriverTable* table);
void serve_links(DriverTable* table);
void serve_managed_memory(DriverTable* table);
void serve_memory(DriverTable* table);
void serve_memory_pools(DriverTable* table);
void serve_memsets(DriverTable* table);
void serve_modules(DriverTable* table);
void serve_occupancy(DriverTable* table);
void serve_pointers(DriverTable* table);
void serve_shareable_handles(DriverTable* table);
void serve_streams(DriverTable* table);
void serve_stream_values(DriverTable* table);
void serve_texture_references(DriverTable* table);
void serve_textures(DriverTable* table);
void serve_user_objects(DriverTable* table);
void serve_virtual_memory(DriverTable* table);

}  // namespace bitfusion::soft
