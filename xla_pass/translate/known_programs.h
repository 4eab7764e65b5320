// SPDX-License-Identifier: Apache-2.0
// Canonical text of row programs, validated and printed once per distinct program: most layers of a model have the same
// program.
#ifndef XLA_PASS_TRANSLATE_KNOWN_PROGRAMS_H_
#define XLA_PASS_TRANSLATE_KNOWN_PROGRAMS_H_

#include <cstddef>
#include <string>
#include <unordered_map>

#include "row_program/row_program.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

class KnownPrograms {
 public:
  // The text lives as long as this object. Fails with ValidateRowProgram's message.
  Decision<const std::string*> TextOf(const RowProgram& program);
  size_t size() const { return known_.size(); }  // number of distinct programs

 private:
  struct Known {
    RowProgram program;
    std::string text;
  };
  std::unordered_multimap<size_t, Known> known_;  // by a hash of the statements
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_KNOWN_PROGRAMS_H_
