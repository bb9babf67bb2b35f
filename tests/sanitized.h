// Whether this is a build with AddressSanitizer or ThreadSanitizer: several times slower, and most of its memory is the
// sanitizer's own.
#pragma once

namespace wh::testing {

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace wh::testing
