// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an error message. The return type of every function that can fail.
//
// Refusals and failures are values: `return Err("what happened; what was expected; what came")`. tl::expected replaces
// std::expected, which needs C++23.
#ifndef BASE_RESULT_H_
#define BASE_RESULT_H_

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace jax_oneshot {

template <typename T>
using Result = tl::expected<T, std::string>;

inline tl::unexpected<std::string> Err(std::string message) { return tl::unexpected<std::string>(std::move(message)); }

}  // namespace jax_oneshot

#endif  // BASE_RESULT_H_
