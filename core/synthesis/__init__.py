"""Making preference pairs without people, after Omni-RRM's recipe for Omni-Preference (arXiv 2602.00846).

Candidates come from a strong and a weak source; two unlike judges are their teachers, and a pair is kept where both,
each asked in both orders, prefer the same response and score it higher.

    candidates   pairs as they are, a response against itself with one thing changed, or two models' answers
    teachers     what two judges say together: kept or why not, and the figures of it
    record       the files of a job: what is read again after a stop, and the pairs that were kept
"""
