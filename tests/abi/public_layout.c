/* The structs of heed/heed.h: where every field lies (LP64). Programs that were linked to
 * libheed.so.0 rely on it. Compiling this file is the test; see test_layout.sh. */
#include "heed/heed.h"

#define AT(type, field, offset)                                                                    \
    _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define AT_LEAST(type, bytes) _Static_assert(sizeof(type) >= (bytes), #type " shrank")
#define FROZEN(type, bytes)   _Static_assert(sizeof(type) == (bytes), #type " changed its size")

/* heed_error */
AT(heed_error, status, 0);
AT(heed_error, reserved, 4);
AT(heed_error, offset, 8);
AT(heed_error, message, 16);
AT(heed_error, element, 24);
AT(heed_error, expected, 32);
AT(heed_error, found, 40);
AT(heed_error, hint, 48);
AT_LEAST(heed_error, 56);

/* heed_allocator */
AT(heed_allocator, size, 0);
AT(heed_allocator, flags, 4);
AT(heed_allocator, self, 8);
AT(heed_allocator, alloc, 16);
AT(heed_allocator, free, 24);
AT_LEAST(heed_allocator, 32);

/* heed_memory_use */
AT(heed_memory_use, size, 0);
AT(heed_memory_use, flags, 4);
AT(heed_memory_use, bytes, 8);
AT(heed_memory_use, peak_bytes, 16);
AT_LEAST(heed_memory_use, 24);

/* heed_model_options */
AT(heed_model_options, size, 0);
AT(heed_model_options, flags, 4);
AT(heed_model_options, folder, 8);
AT_LEAST(heed_model_options, 16);

/* heed_value_info */
AT(heed_value_info, size, 0);
AT(heed_value_info, kind, 4);
AT(heed_value_info, name, 8);
AT(heed_value_info, dtype, 16);
AT(heed_value_info, ndim, 20);
AT(heed_value_info, dims, 24);
AT(heed_value_info, symbols, 32);
AT(heed_value_info, optional, 40);
AT(heed_value_info, keys, 44);
AT_LEAST(heed_value_info, 48);

/* heed_op_count */
AT(heed_op_count, domain, 0);
AT(heed_op_count, op, 8);
AT(heed_op_count, nodes, 16);
FROZEN(heed_op_count, 24);

/* heed_weight_count */
AT(heed_weight_count, dtype, 0);
AT(heed_weight_count, reserved, 4);
AT(heed_weight_count, tensors, 8);
AT(heed_weight_count, elements, 16);
AT(heed_weight_count, bytes, 24);
FROZEN(heed_weight_count, 32);

/* heed_session_options */
AT(heed_session_options, size, 0);
AT(heed_session_options, flags, 4);
AT(heed_session_options, backends, 8);
AT(heed_session_options, plan_limit, 16);
AT(heed_session_options, attention, 24);
AT(heed_session_options, without, 32);
AT_LEAST(heed_session_options, 40);

/* heed_run_options */
AT(heed_run_options, size, 0);
AT(heed_run_options, flags, 4);
AT(heed_run_options, deadline_ns, 8);
AT(heed_run_options, cancel, 16);
AT_LEAST(heed_run_options, 24);

/* heed_placement */
AT(heed_placement, size, 0);
AT(heed_placement, reserved, 4);
AT(heed_placement, node, 8);
AT(heed_placement, domain, 16);
AT(heed_placement, op, 24);
AT(heed_placement, backend, 32);
AT(heed_placement, reason, 40);
AT_LEAST(heed_placement, 48);

/* heed_site */
AT(heed_site, size, 0);
AT(heed_site, flags, 4);
AT(heed_site, node, 8);
AT(heed_site, domain, 16);
AT(heed_site, op, 24);
AT(heed_site, backend, 32);
AT(heed_site, reason, 40);
AT(heed_site, at, 48);
AT(heed_site, at_op, 56);
AT(heed_site, help, 64);
AT(heed_site, q_heads, 72);
AT(heed_site, k_heads, 80);
AT(heed_site, v_heads, 88);
AT(heed_site, head_dim, 96);
AT(heed_site, v_head_dim, 104);
AT(heed_site, features, 112);
AT(heed_site, n_features, 120);
AT(heed_site, nodes, 128);
AT(heed_site, n_nodes, 136);
AT(heed_site, mask, 144);
AT_LEAST(heed_site, 152);

/* heed_cache */
AT(heed_cache, size, 0);
AT(heed_cache, flags, 4);
AT(heed_cache, form, 8);
AT(heed_cache, layer, 16);
AT(heed_cache, past_key, 24);
AT(heed_cache, present_key, 32);
AT(heed_cache, past_value, 40);
AT(heed_cache, present_value, 48);
AT(heed_cache, proof, 56);
AT(heed_cache, reason, 64);
AT(heed_cache, at, 72);
AT(heed_cache, at_op, 80);
AT(heed_cache, help, 88);
AT_LEAST(heed_cache, 96);

/* heed_fusion */
AT(heed_fusion, size, 0);
AT(heed_fusion, reserved, 4);
AT(heed_fusion, pass, 8);
AT(heed_fusion, name, 16);
AT(heed_fusion, purpose, 24);
AT(heed_fusion, count, 32);
AT_LEAST(heed_fusion, 40);

/* heed_graph_node */
AT(heed_graph_node, size, 0);
AT(heed_graph_node, graph, 4);
AT(heed_graph_node, name, 8);
AT(heed_graph_node, domain, 16);
AT(heed_graph_node, op, 24);
AT(heed_graph_node, attributes, 32);
AT(heed_graph_node, backend, 40);
AT(heed_graph_node, inputs, 48);
AT(heed_graph_node, outputs, 56);
AT(heed_graph_node, n_inputs, 64);
AT(heed_graph_node, n_outputs, 72);
AT(heed_graph_node, site, 80);
AT_LEAST(heed_graph_node, 88);

/* heed_graph_value */
AT(heed_graph_value, size, 0);
AT(heed_graph_value, flags, 4);
AT(heed_graph_value, name, 8);
AT(heed_graph_value, type, 16);
AT_LEAST(heed_graph_value, 24);

/* heed_session_stats */
AT(heed_session_stats, size, 0);
AT(heed_session_stats, reserved, 4);
AT(heed_session_stats, nodes_imported, 8);
AT(heed_session_stats, nodes, 16);
AT(heed_session_stats, load_ns, 24);
AT(heed_session_stats, passes_ns, 32);
AT(heed_session_stats, prepare_ns, 40);
AT(heed_session_stats, plans, 48);
AT(heed_session_stats, plan_hits, 56);
AT(heed_session_stats, plan_misses, 64);
AT(heed_session_stats, arena_bytes, 72);
AT(heed_session_stats, steps, 80);
AT_LEAST(heed_session_stats, 88);

/* heed_plugin_info */
AT(heed_plugin_info, size, 0);
AT(heed_plugin_info, abi, 4);
AT(heed_plugin_info, name, 8);
AT(heed_plugin_info, version, 16);
AT(heed_plugin_info, vendor, 24);
AT(heed_plugin_info, path, 32);
AT(heed_plugin_info, kind, 40);
AT(heed_plugin_info, error, 48);
AT(heed_plugin_info, offers, 56);
AT(heed_plugin_info, devices, 64);
AT_LEAST(heed_plugin_info, 72);
