// The header fields of answers that routes name in their rows (route_doc.h).
#pragma once

#include "api/http/parameter.h"

namespace wh::api {

inline constexpr Parameter kETagField{
    .name = "ETag", .text = "The id of the event, or the mod_index of the key, in quotes: for If-Match."};
inline constexpr Parameter kEventIdField{
    .name = "Wormhole-Event-Id", .text = "The event's id.", .type = ParameterType::number};
inline constexpr Parameter kDeliveriesField{.name = "Wormhole-Deliveries",
                                            .text = "How often the event was delivered, this time included.",
                                            .type = ParameterType::number};
inline constexpr Parameter kEnqueuedAtField{
    .name = "Wormhole-Enqueued-At", .text = "When the event was stored.", .type = ParameterType::time};
inline constexpr Parameter kReceiptField{.name = "Wormhole-Receipt",
                                         .text = "Names this delivery: to acknowledge, extend, release or bury it."};
inline constexpr Parameter kLocationField{.name = "Location", .text = "The path of what was made."};
inline constexpr Parameter kLinkField{.name = "Link",
                                      .text = "With rel=\"next\": where the list goes on. Absent at its end."};
inline constexpr Parameter kFailedField{
    .name = "Wormhole-Failed", .text = "How many of the receipts, or ids, did nothing.", .type = ParameterType::number};
inline constexpr Parameter kQueuesField{
    .name = "Wormhole-Queues", .text = "Into how many queues the event went.", .type = ParameterType::number};
inline constexpr Parameter kCreateIndexField{
    .name = "Wormhole-Create-Index", .text = "The index that made the key.", .type = ParameterType::number};
inline constexpr Parameter kModIndexField{
    .name = "Wormhole-Mod-Index", .text = "The index of the key's last change.", .type = ParameterType::number};
inline constexpr Parameter kIndexField{.name = "Wormhole-Index",
                                       .text = "A write's own index, or that of the state that a read saw.",
                                       .type = ParameterType::number};
inline constexpr Parameter kPreferenceField{.name = "Preference-Applied", .text = "return=representation"};

}  // namespace wh::api
