// Result<T>: a value or an error message. The return type of every function that can fail.
//
// A refusal or failure is a value: `return Err("what happened; what was expected; what came")`.
// tl::expected stands in for C++23's std::expected, which C++17 lacks.
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
