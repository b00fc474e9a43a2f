
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'gliclass' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'gliclass'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'gliclass' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('classify', 'classify', [CompletionResultType]::ParameterValue, 'Classify the texts given, or one text a line from standard input')
            [CompletionResult]::new('batch', 'batch', [CompletionResultType]::ParameterValue, 'Stream JSONL, CSV, TSV or Parquet and write every record back with its labels')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong')
            [CompletionResult]::new('train', 'train', [CompletionResultType]::ParameterValue, 'Fine-tune a model on labelled records')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Write the vectors of texts and labels that the model compares, as JSONL')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model runs on this machine, and where its time goes')
            [CompletionResult]::new('download', 'download', [CompletionResultType]::ParameterValue, 'Fetch a checkpoint into the Hugging Face cache and print its folder')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gliclass;classify' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the results are written [default: a table on a terminal, else jsonl]')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one a line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Joins the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the task is, in words; the model reads it before the text')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Of the retrieved examples, write only the K nearest ones into each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is lower, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'The arithmetic of the encoder')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What becomes of a text that does not fit')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once, and long lists of labels in pieces [default: all]')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'The lists in --labels-file are wordings of one label, not levels of a hierarchy')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Predictions as an object shaped like the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;batch' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where the records go [default: standard output]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where the records go [default: standard output]')
            [CompletionResult]::new('--input-format', '--input-format', [CompletionResultType]::ParameterName, 'The form of the input and of the output [default: by the input''s ending, else jsonl]')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column that holds the text')
            [CompletionResult]::new('--output-field', '--output-field', [CompletionResultType]::ParameterName, 'The field of a JSONL record that receives the predictions')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Joins several labels, and several scores, in a CSV or TSV column')
            [CompletionResult]::new('--on-error', '--on-error', [CompletionResultType]::ParameterName, 'What becomes of a record that cannot be classified')
            [CompletionResult]::new('--shard', '--shard', [CompletionResultType]::ParameterName, 'Only one part of the input: I of N, from 0; or `auto`, or `auto/N`, in a job of Slurm or Kubernetes')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one a line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Joins the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the task is, in words; the model reads it before the text')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Of the retrieved examples, write only the K nearest ones into each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is lower, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'The arithmetic of the encoder')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What becomes of a text that does not fit')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once, and long lists of labels in pieces [default: all]')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on where a run with the same command stopped, or begin one that can be gone on with')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Overwrite an output that is there already')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'The lists in --labels-file are wordings of one label, not levels of a hierarchy')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Predictions as an object shaped like the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;eval' {
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column with the text')
            [CompletionResult]::new('--label-field', '--label-field', [CompletionResultType]::ParameterName, 'The field or column with the true labels [default: true_labels, or label]')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Stands between the labels in a cell of CSV or TSV')
            [CompletionResult]::new('--predictions-from', '--predictions-from', [CompletionResultType]::ParameterName, 'Judge outputs of `batch` or of --predictions, without a model')
            [CompletionResult]::new('--compare', '--compare', [CompletionResultType]::ParameterName, 'Set these predictions of the same records beside the ones that are judged')
            [CompletionResult]::new('--output-field', '--output-field', [CompletionResultType]::ParameterName, 'The field with the predictions in them')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one a line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Joins the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the task is, in words; the model reads it before the text')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Of the retrieved examples, write only the K nearest ones into each text [default: all]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--threshold', '--threshold', [CompletionResultType]::ParameterName, 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]')
            [CompletionResult]::new('--thresholds', '--thresholds', [CompletionResultType]::ParameterName, 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error')
            [CompletionResult]::new('--abstain-below', '--abstain-below', [CompletionResultType]::ParameterName, 'No label for a text whose best score is lower, from 0 to 1')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('--top-k', '--top-k', [CompletionResultType]::ParameterName, 'At most N labels for a text, the best ones')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'How the figures are printed')
            [CompletionResult]::new('--predictions', '--predictions', [CompletionResultType]::ParameterName, 'Write every record with its predictions to a file as `batch` does, as JSON lines; replaces what is there')
            [CompletionResult]::new('--errors', '--errors', [CompletionResultType]::ParameterName, 'Show the N most confident errors of each label')
            [CompletionResult]::new('--plots', '--plots', [CompletionResultType]::ParameterName, 'Write the plots to a folder, as SVG')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Write one page with figures, plots and the most confident errors, to open in a browser or to send; replaces what is there')
            [CompletionResult]::new('--bootstrap', '--bootstrap', [CompletionResultType]::ParameterName, 'How often records are drawn anew for the 95 % intervals; 0 for none')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Where random numbers begin: the same seed gives the same figures')
            [CompletionResult]::new('--label-order-trials', '--label-order-trials', [CompletionResultType]::ParameterName, 'Ask again N times with the labels shuffled, and say how many predictions change')
            [CompletionResult]::new('--fit', '--fit', [CompletionResultType]::ParameterName, 'Fit thresholds and a temperature to these records and write them to a file for --thresholds; replaces what is there')
            [CompletionResult]::new('--fit-for', '--fit-for', [CompletionResultType]::ParameterName, 'What thresholds are fitted for: f1, f0.5, f2, precision=0.9 (with the most recall) or recall=0.9')
            [CompletionResult]::new('--min-accuracy', '--min-accuracy', [CompletionResultType]::ParameterName, 'The least accuracy; for several labels a record, the least subset accuracy')
            [CompletionResult]::new('--min-micro-f1', '--min-micro-f1', [CompletionResultType]::ParameterName, 'The least micro-averaged F1')
            [CompletionResult]::new('--min-macro-f1', '--min-macro-f1', [CompletionResultType]::ParameterName, 'The least macro-averaged F1')
            [CompletionResult]::new('--min-weighted-f1', '--min-weighted-f1', [CompletionResultType]::ParameterName, 'The least F1 averaged by support')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'The arithmetic of the encoder')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What becomes of a text that does not fit')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once, and long lists of labels in pieces [default: all]')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'The lists in --labels-file are wordings of one label, not levels of a hierarchy')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)')
            [CompletionResult]::new('--all-scores', '--all-scores', [CompletionResultType]::ParameterName, 'Every label with its score, whatever the threshold')
            [CompletionResult]::new('--logits', '--logits', [CompletionResultType]::ParameterName, 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction')
            [CompletionResult]::new('--hierarchical', '--hierarchical', [CompletionResultType]::ParameterName, 'Predictions as an object shaped like the labels, every leaf a score')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;train' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The folder for the trained model')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The folder for the trained model')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field or column with the text')
            [CompletionResult]::new('--label-field', '--label-field', [CompletionResultType]::ParameterName, 'The field or column with the true labels [default: true_labels, or label]')
            [CompletionResult]::new('--list-separator', '--list-separator', [CompletionResultType]::ParameterName, 'Stands between the labels in a cell of CSV or TSV')
            [CompletionResult]::new('--eval', '--eval', [CompletionResultType]::ParameterName, 'Judge each epoch on the records of this file')
            [CompletionResult]::new('--eval-share', '--eval-share', [CompletionResultType]::ParameterName, 'Judge each epoch on this share of the records, which is then not learned from; 0 for none')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one a line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Joins the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the task is, in words; the model reads it before the text. Give the same when the model is used')
            [CompletionResult]::new('--epochs', '--epochs', [CompletionResultType]::ParameterName, 'How often every record is seen')
            [CompletionResult]::new('--batch-size', '--batch-size', [CompletionResultType]::ParameterName, 'Records of a batch')
            [CompletionResult]::new('--gradient-accumulation', '--gradient-accumulation', [CompletionResultType]::ParameterName, 'Batches of a step: as one large batch, in the memory of a small one')
            [CompletionResult]::new('--learning-rate', '--learning-rate', [CompletionResultType]::ParameterName, 'The greatest learning rate of the encoder')
            [CompletionResult]::new('--head-learning-rate', '--head-learning-rate', [CompletionResultType]::ParameterName, 'The greatest learning rate of what stands on the encoder')
            [CompletionResult]::new('--weight-decay', '--weight-decay', [CompletionResultType]::ParameterName, 'How fast the encoder''s weights shrink, times the learning rate')
            [CompletionResult]::new('--head-weight-decay', '--head-weight-decay', [CompletionResultType]::ParameterName, 'How fast the weights of what stands on it shrink, times the learning rate')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'How the learning rates go after they have warmed up')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'The share of the steps in which the learning rates rise from 0')
            [CompletionResult]::new('--clip', '--clip', [CompletionResultType]::ParameterName, 'The greatest norm of a step''s gradients; 0 for any')
            [CompletionResult]::new('--patience', '--patience', [CompletionResultType]::ParameterName, 'Stop after N epochs without a better macro F1 on the held-out records')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Where random numbers begin: the same seed gives the same model')
            [CompletionResult]::new('--focal-alpha', '--focal-alpha', [CompletionResultType]::ParameterName, 'The weight of true labels in the loss, from 0 to 1, false ones having the rest [default: no weights]')
            [CompletionResult]::new('--focal-gamma', '--focal-gamma', [CompletionResultType]::ParameterName, 'How much less a label counts, the better it is known already; 0 is plain binary cross-entropy')
            [CompletionResult]::new('--label-smoothing', '--label-smoothing', [CompletionResultType]::ParameterName, 'How far targets are moved towards no opinion, from 0 to 1')
            [CompletionResult]::new('--contrastive', '--contrastive', [CompletionResultType]::ParameterName, 'How much it counts that the labels of a record are unlike to the model')
            [CompletionResult]::new('--train-layers', '--train-layers', [CompletionResultType]::ParameterName, 'Only what stands on the encoder, and its last N layers')
            [CompletionResult]::new('--lora', '--lora', [CompletionResultType]::ParameterName, 'Beside the encoder''s matrices only narrow ones of this rank, which are added to them at the end')
            [CompletionResult]::new('--label-removal', '--label-removal', [CompletionResultType]::ParameterName, 'How likely some labels are left out')
            [CompletionResult]::new('--label-addition', '--label-addition', [CompletionResultType]::ParameterName, 'How likely labels of other records are added')
            [CompletionResult]::new('--text-addition', '--text-addition', [CompletionResultType]::ParameterName, 'How likely the text of another record is added')
            [CompletionResult]::new('--synonyms', '--synonyms', [CompletionResultType]::ParameterName, 'How likely labels are called by their synonyms')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'How likely descriptions of labels are written beside the text')
            [CompletionResult]::new('--shown-examples', '--shown-examples', [CompletionResultType]::ParameterName, 'How likely solved examples are shown')
            [CompletionResult]::new('--descriptions', '--descriptions', [CompletionResultType]::ParameterName, 'Synonyms and descriptions: {"label": {"synonyms": ["..."], "descriptions": ["..."]}}')
            [CompletionResult]::new('--max-labels', '--max-labels', [CompletionResultType]::ParameterName, 'Read at most N labels of a record at once: the true ones and, each time, a random choice of the others')
            [CompletionResult]::new('--backbone', '--backbone', [CompletionResultType]::ParameterName, 'Begin with a plain encoder and a new head on it, instead of --model: a folder, or a Hub repository')
            [CompletionResult]::new('--label-backbone', '--label-backbone', [CompletionResultType]::ParameterName, 'The encoder of a bi-encoder''s labels [default: another copy of the backbone]')
            [CompletionResult]::new('--architecture', '--architecture', [CompletionResultType]::ParameterName, 'How labels and text are read: uni-encoder or bi-encoder')
            [CompletionResult]::new('--pooling', '--pooling', [CompletionResultType]::ParameterName, 'How the text''s rows become one: avg, first, last, max, sum, rms, abs_max, abs_avg or pass')
            [CompletionResult]::new('--label-pooling', '--label-pooling', [CompletionResultType]::ParameterName, 'How a label''s rows become one: first or average')
            [CompletionResult]::new('--scorer', '--scorer', [CompletionResultType]::ParameterName, 'What compares text and labels: simple, weighted-dot, mlp, hopfield or cross-attn')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on where a training with the same command stopped')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Begin again in a folder that `train` made, and overwrite its model')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stop before the first step if anything is wrong with the data')
            [CompletionResult]::new('--single-label', '--single-label', [CompletionResultType]::ParameterName, 'Exactly one label is true of each record: cross-entropy of the softmax over its labels')
            [CompletionResult]::new('--sum-loss', '--sum-loss', [CompletionResultType]::ParameterName, 'The sum over all labels instead of the mean')
            [CompletionResult]::new('--freeze-encoder', '--freeze-encoder', [CompletionResultType]::ParameterName, 'Only what stands on the encoder: fast, and enough where the labels are like those the model knows')
            [CompletionResult]::new('--no-dropout', '--no-dropout', [CompletionResultType]::ParameterName, 'Leave nothing out: without the dropout that the config names')
            [CompletionResult]::new('--augment', '--augment', [CompletionResultType]::ParameterName, 'Change records each time they are seen, as likely as in the Python package')
            [CompletionResult]::new('--keep-label-order', '--keep-label-order', [CompletionResultType]::ParameterName, 'Leave the labels in their order instead of shuffling them each time')
            [CompletionResult]::new('--normalize-features', '--normalize-features', [CompletionResultType]::ParameterName, 'Compare rows of unit length')
            [CompletionResult]::new('--text-first', '--text-first', [CompletionResultType]::ParameterName, 'The text before the labels')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;embed' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where the records go [default: standard output]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where the records go [default: standard output]')
            [CompletionResult]::new('--text-field', '--text-field', [CompletionResultType]::ParameterName, 'The field that holds the text')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels', '--labels', [CompletionResultType]::ParameterName, 'Candidate labels, comma-separated; may be given several times')
            [CompletionResult]::new('--labels-file', '--labels-file', [CompletionResultType]::ParameterName, 'Candidate labels from a file: one a line, or JSON')
            [CompletionResult]::new('--label-separator', '--label-separator', [CompletionResultType]::ParameterName, 'Joins the levels of a hierarchy of labels')
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the task is, in words; the model reads it before the text')
            [CompletionResult]::new('--examples', '--examples', [CompletionResultType]::ParameterName, 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}')
            [CompletionResult]::new('--rac-examples', '--rac-examples', [CompletionResultType]::ParameterName, 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}')
            [CompletionResult]::new('--rac-retrieve', '--rac-retrieve', [CompletionResultType]::ParameterName, 'Of the retrieved examples, write only the K nearest ones into each text [default: all]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'The arithmetic of the encoder')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What becomes of a text that does not fit')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once, and long lists of labels in pieces [default: all]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the output file if it is there')
            [CompletionResult]::new('--wordings', '--wordings', [CompletionResultType]::ParameterName, 'The lists in --labels-file are wordings of one label, not levels of a hierarchy')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;bench' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many texts; fewer of them are repeated')
            [CompletionResult]::new('--texts', '--texts', [CompletionResultType]::ParameterName, 'How many texts; fewer of them are repeated')
            [CompletionResult]::new('--labels-count', '--labels-count', [CompletionResultType]::ParameterName, 'How many labels each text has')
            [CompletionResult]::new('--input', '--input', [CompletionResultType]::ParameterName, 'Take the texts from a JSONL file, field `text` [default: texts of 10 to 150 words inside the program]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the figures are written')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub')
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit of a Hub repository [default: main]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Processor threads [default: all there are]')
            [CompletionResult]::new('--max-length', '--max-length', [CompletionResultType]::ParameterName, 'Tokens a text may have with its labels; a longer text is cut, labels never are')
            [CompletionResult]::new('--dtype', '--dtype', [CompletionResultType]::ParameterName, 'The arithmetic of the encoder')
            [CompletionResult]::new('--on-overflow', '--on-overflow', [CompletionResultType]::ParameterName, 'What becomes of a text that does not fit')
            [CompletionResult]::new('--chunk-overlap', '--chunk-overlap', [CompletionResultType]::ParameterName, 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]')
            [CompletionResult]::new('--labels-chunk-size', '--labels-chunk-size', [CompletionResultType]::ParameterName, 'Read at most N labels at once, and long lists of labels in pieces [default: all]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: use what is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;download' {
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Branch, tag or commit [default: main]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Never touch the network: print the folder if the model is in the cache, or stop with an error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary, no hints')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: what was loaded, how large it is, how it runs')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gliclass;help' {
            [CompletionResult]::new('classify', 'classify', [CompletionResultType]::ParameterValue, 'Classify the texts given, or one text a line from standard input')
            [CompletionResult]::new('batch', 'batch', [CompletionResultType]::ParameterValue, 'Stream JSONL, CSV, TSV or Parquet and write every record back with its labels')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong')
            [CompletionResult]::new('train', 'train', [CompletionResultType]::ParameterValue, 'Fine-tune a model on labelled records')
            [CompletionResult]::new('embed', 'embed', [CompletionResultType]::ParameterValue, 'Write the vectors of texts and labels that the model compares, as JSONL')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast a model runs on this machine, and where its time goes')
            [CompletionResult]::new('download', 'download', [CompletionResultType]::ParameterValue, 'Fetch a checkpoint into the Hugging Face cache and print its folder')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gliclass;help;classify' {
            break
        }
        'gliclass;help;batch' {
            break
        }
        'gliclass;help;eval' {
            break
        }
        'gliclass;help;train' {
            break
        }
        'gliclass;help;embed' {
            break
        }
        'gliclass;help;bench' {
            break
        }
        'gliclass;help;download' {
            break
        }
        'gliclass;help;completions' {
            break
        }
        'gliclass;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
