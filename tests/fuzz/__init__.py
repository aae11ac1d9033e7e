"""Random calls of the whole public API with arguments as bad as they come.

``make fuzz`` runs cases in processes of their own, so that a crash, a hang or
memory without bound is a finding like any other. A case is repeated by its
seed and number alone:

| module | what |
| --- | --- |
| ``draw`` | the random choices of a case |
| ``problems``, ``other_arguments`` | valid arguments |
| ``forms`` | the same array in another form |
| ``hostile`` | what is put in the place of valid arguments |
| ``targets``, ``calls`` | the functions, and how they are called |
| ``pairs`` | series and costs in float64, and what is demanded of results |
| ``answers``, ``other_answers`` | right answers, by formulas of their own |
| ``cases`` | a case is drawn, run and judged |
| ``worker`` | a process that runs cases |
| ``runner`` | starts it, watches it, and starts it again |
"""
