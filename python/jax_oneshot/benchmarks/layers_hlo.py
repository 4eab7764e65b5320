# SPDX-License-Identifier: Apache-2.0
"""Generates HLO text with about a given number of instructions by repeating one decoder layer.

The layer has the structure that XLA:GPU passes to the hook for a Llama block at decode (batch 8, one of 8
tensor-parallel devices): two all-reduces, each followed by a residual add and an RMSNorm, with dots, rope and a softmax
between them. Widths are small, since the pass's time does not depend on them.
"""

from __future__ import annotations

_HEAD = """HloModule repeated_layers

%add_bf16 (a: bf16[], b: bf16[]) -> bf16[] {
  %a = bf16[] parameter(0)
  %b = bf16[] parameter(1)
  ROOT %sum = bf16[] add(%a, %b)
}

%add_f32 (a.1: f32[], b.1: f32[]) -> f32[] {
  %a.1 = f32[] parameter(0)
  %b.1 = f32[] parameter(1)
  ROOT %sum.1 = f32[] add(%a.1, %b.1)
}

%max_f32 (a.2: f32[], b.2: f32[]) -> f32[] {
  %a.2 = f32[] parameter(0)
  %b.2 = f32[] parameter(1)
  ROOT %max = f32[] maximum(%a.2, %b.2)
}

ENTRY %main {
  %x0 = bf16[8,64]{1,0} parameter(0)
  %w = bf16[64,64]{1,0} parameter(1)
  %g = bf16[64]{0} parameter(2)
  %cos = f32[8,32]{1,0} parameter(3)
  %keys = bf16[8,16,64]{2,1,0} parameter(4)
  %zero = f32[] constant(0)
  %low = f32[] constant(-inf)
  %inverse = f32[] constant(0.015625)
  %eps = f32[] constant(1e-05)
  %one = f32[] constant(1)
  %nothing = bf16[] constant(0)
  %h0 = bf16[8,64]{1,0} copy(%x0)
"""

# @ is the number of this half layer, # that of the one before.
_EXCHANGE = """
%part@ = bf16[8,64]{1,0} dot(%mixed@, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
%ar@ = bf16[8,64]{1,0} all-reduce(%part@), channel_id=@, replica_groups=[1,8]<=[8], $IDS, to_apply=%add_bf16
%x@ = bf16[8,64]{1,0} add(%x#, %ar@)
%wide@ = f32[8,64]{1,0} convert(%x@)
%square@ = f32[8,64]{1,0} multiply(%wide@, %wide@)
%sum@ = f32[8]{0} reduce(%square@, %zero), dimensions={1}, to_apply=%add_f32
%inverses@ = f32[8]{0} broadcast(%inverse), dimensions={}
%mean@ = f32[8]{0} multiply(%sum@, %inverses@)
%epsilons@ = f32[8]{0} broadcast(%eps), dimensions={}
%variance@ = f32[8]{0} add(%mean@, %epsilons@)
%r@ = f32[8]{0} rsqrt(%variance@)
%rows@ = f32[8,64]{1,0} broadcast(%r@), dimensions={0}
%scaled@ = f32[8,64]{1,0} multiply(%wide@, %rows@)
%narrow@ = bf16[8,64]{1,0} convert(%scaled@)
%gammas@ = bf16[8,64]{1,0} broadcast(%g), dimensions={1}
%h@ = bf16[8,64]{1,0} multiply(%narrow@, %gammas@)
""".replace("$IDS", "use_global_device_ids=true")
_ROPE = """
%{name}@ = bf16[8,64]{{1,0}} dot(%h#, %w), lhs_contracting_dims={{1}}, rhs_contracting_dims={{0}}
%{name}_wide@ = f32[8,64]{{1,0}} convert(%{name}@)
%{name}_left@ = f32[8,32]{{1,0}} slice(%{name}_wide@), slice={{[0:8], [0:32]}}
%{name}_right@ = f32[8,32]{{1,0}} slice(%{name}_wide@), slice={{[0:8], [32:64]}}
%{name}_a@ = f32[8,32]{{1,0}} multiply(%{name}_left@, %cos)
%{name}_b@ = f32[8,32]{{1,0}} multiply(%{name}_right@, %cos)
%{name}_c@ = f32[8,32]{{1,0}} subtract(%{name}_a@, %{name}_b@)
%{name}_d@ = f32[8,32]{{1,0}} add(%{name}_a@, %{name}_b@)
%{name}_turned@ = f32[8,64]{{1,0}} concatenate(%{name}_c@, %{name}_d@), dimensions={{1}}
%{name}_out@ = bf16[8,64]{{1,0}} convert(%{name}_turned@)
"""
_ATTENTION = """
%key@ = bf16[8,1,64]{2,1,0} reshape(%k_out@)
%row@ = bf16[8,16,64]{2,1,0} broadcast(%q_out@), dimensions={0,2}
%fresh@ = bf16[8,16,64]{2,1,0} pad(%key@, %nothing), padding=0_0x0_15x0_0
%seen@ = bf16[8,16,64]{2,1,0} add(%keys, %fresh@)
%product@ = bf16[8,16,64]{2,1,0} multiply(%row@, %seen@)
%product_wide@ = f32[8,16,64]{2,1,0} convert(%product@)
%scores@ = f32[8,16]{1,0} reduce(%product_wide@, %zero), dimensions={2}, to_apply=%add_f32
%largest@ = f32[8]{0} reduce(%scores@, %low), dimensions={1}, to_apply=%max_f32
%largest_rows@ = f32[8,16]{1,0} broadcast(%largest@), dimensions={0}
%shifted@ = f32[8,16]{1,0} subtract(%scores@, %largest_rows@)
%power@ = f32[8,16]{1,0} exponential(%shifted@)
%total@ = f32[8]{0} reduce(%power@, %zero), dimensions={1}, to_apply=%add_f32
%total_rows@ = f32[8,16]{1,0} broadcast(%total@), dimensions={0}
%weights@ = f32[8,16]{1,0} divide(%power@, %total_rows@)
%weights_wide@ = f32[8,16,64]{2,1,0} broadcast(%weights@), dimensions={0,1}
%seen_wide@ = f32[8,16,64]{2,1,0} convert(%seen@)
%weighted@ = f32[8,16,64]{2,1,0} multiply(%weights_wide@, %seen_wide@)
%mixed_wide@ = f32[8,64]{1,0} reduce(%weighted@, %zero), dimensions={1}, to_apply=%add_f32
%mixed@ = bf16[8,64]{1,0} convert(%mixed_wide@)
"""
_MLP = """
%gate@ = bf16[8,64]{1,0} dot(%h#, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
%up@ = bf16[8,64]{1,0} dot(%h#, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
%gate_wide@ = f32[8,64]{1,0} convert(%gate@)
%minus@ = f32[8,64]{1,0} negate(%gate_wide@)
%gate_power@ = f32[8,64]{1,0} exponential(%minus@)
%ones@ = f32[8,64]{1,0} broadcast(%one), dimensions={}
%below@ = f32[8,64]{1,0} add(%gate_power@, %ones@)
%silu@ = f32[8,64]{1,0} divide(%gate_wide@, %below@)
%silu_narrow@ = bf16[8,64]{1,0} convert(%silu@)
%mixed@ = bf16[8,64]{1,0} multiply(%silu_narrow@, %up@)
"""

_FIRST_HALF = _ROPE.format(name="q") + _ROPE.format(name="k") + _ATTENTION + _EXCHANGE
_SECOND_HALF = _MLP + _EXCHANGE


def repeated_layers(instructions: int) -> str:
    """HLO text of the fewest whole layers that hold at least `instructions` instructions."""
    per_layer = sum(half.count(" = ") for half in (_FIRST_HALF, _SECOND_HALF))
    layers = max(1, -(-(instructions - _HEAD.count(" = ")) // per_layer))
    halves = [
        half.replace("@", str(2 * layer + number)).replace("#", str(2 * layer + number - 1))
        for layer in range(layers)
        for number, half in enumerate((_FIRST_HALF, _SECOND_HALF), 1)
    ]
    last = 2 * layers
    root = f"ROOT %out = (bf16[8,64]{{1,0}}, bf16[8,64]{{1,0}}) tuple(%h{last}, %x{last})"
    return f"{_HEAD}{''.join(halves)}{root}\n}}\n"
